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

/** Encodes any text as one token of a subject. */
function tokenOf(text: string): string {
  return encodeURIComponent(text).replaceAll('.', '%2E').replaceAll('*', '%2A');
}
