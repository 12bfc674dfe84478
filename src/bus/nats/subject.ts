/** The version of the subjects and of what is published to them. Two versions do not hear each other. */
const VERSION = '1';

/**
 * The NATS subject of a channel: `live/room/1` on the bus `mooring` is `mooring.1.live.room%2F1`.
 *
 * What follows the first slash of a channel becomes one token, whatever it contains: dots, wildcards and spaces are
 * percent-encoded, so nobody can address more than one topic.
 *
 * @throws URIError for text with a lone surrogate, which a topic name never has
 */
export function subjectOf(name: string, channel: string): string {
  const slash = channel.indexOf('/');
  if (slash === -1) return `${name}.${VERSION}.${channel}`;
  return `${name}.${VERSION}.${channel.slice(0, slash)}.${tokenOf(channel.slice(slash + 1))}`;
}

/**
 * Encodes any text as one token of a subject. The percent-encoding of RFC 3986 §2.1, which most languages have, but for the dot:
 * a program in another language must arrive at the same subject.
 */
function tokenOf(text: string): string {
  return encodeURIComponent(text).replaceAll(/[!'()*.]/g, percentEncoded);
}

function percentEncoded(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}
