import type { IncomingMessage } from 'node:http';
import { Refusal } from '../../../src/index.ts';
import { guestKinds, type Sailor } from './contract.ts';

const NAME_LENGTH_MAX = 32;
/** Control and format characters could reorder a line of text; only the joiner of emoji is let through. */
const UNPRINTABLE = /[^\P{C}\u200d]/u;
const SOMETHING_READABLE = /[\p{L}\p{N}]/u;

/** Decides who somebody is, by the query of the upgrade request: `/ws?name=Ada`. */
export function signOn({ url = '' }: IncomingMessage): Sailor {
  const query = new URLSearchParams(url.split('?')[1]);
  const name = checkedName(query.get('name') ?? '');
  const guest = guestKinds.find((kind) => kind === query.get('guest'));
  return { name, ...(guest && { guest }) };
}

function checkedName(given: string): string {
  const name = given.trim().normalize('NFC');
  if (name === '') throw new Refusal(400, 'Nobody comes aboard without a name.');
  if (name.length > NAME_LENGTH_MAX) {
    throw new Refusal(400, `That name is too long: ${NAME_LENGTH_MAX} characters at most.`);
  }
  if (UNPRINTABLE.test(name)) throw new Refusal(400, 'That name has characters nobody can see.');
  if (!SOMETHING_READABLE.test(name)) {
    throw new Refusal(400, 'A name needs at least one letter or digit.');
  }
  return name;
}
