import type { IncomingMessage } from 'node:http';
import { Refusal } from 'mooring';
import { guestKinds, type Peer } from './contract.ts';

const NAME_LENGTH_MAX = 32;
/** Control and format characters can reorder a line of text. Only the zero-width joiner, which emoji need, is allowed. */
const INVISIBLE = /[^\P{C}\u200d]/u;
const LETTER_OR_DIGIT = /[\p{L}\p{N}]/u;

/** Reads the name of the peer from the query of the upgrade request: `/ws?name=Ada`. @throws Refusal */
export function authenticate({ url = '' }: IncomingMessage): Peer {
  const query = new URLSearchParams(url.split('?')[1]);
  const name = checkedName(query.get('name') ?? '');
  const guest = guestKinds.find((kind) => kind === query.get('guest'));
  return { name, ...(guest && { guest }) };
}

function checkedName(given: string): string {
  const name = given.trim().normalize('NFC');
  if (name === '') throw new Refusal(400, 'A name is required.');
  if (name.length > NAME_LENGTH_MAX) {
    throw new Refusal(400, `The name is too long: ${NAME_LENGTH_MAX} characters at most.`);
  }
  if (INVISIBLE.test(name)) throw new Refusal(400, 'The name contains invisible characters.');
  if (!LETTER_OR_DIGIT.test(name)) {
    throw new Refusal(400, 'The name needs at least one letter or digit.');
  }
  return name;
}
