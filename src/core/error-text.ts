import { toError } from './errors.ts';
import { escapeText } from './text.ts';

/** How many parts of an AggregateError are told. */
const PARTS_MAX = 5;

/** What an AggregateError is made of, at most five; nothing for any other error. */
export function partsOf(error: Error): Error[] {
  const { errors } = error as { errors?: unknown };
  if (error.name !== 'AggregateError' || !Array.isArray(errors)) return [];
  return errors.slice(0, PARTS_MAX).map(toError);
}

/** The message of an error, escaped. That of several attempts to connect is empty: then it is that of each. */
export function messageText(error: Error): string {
  const { message } = error;
  return escapeText(
    message === ''
      ? partsOf(error)
          .map((part) => part.message)
          .join('; ')
      : message,
  );
}

/**
 * The stack of an error, escaped but for the ends of its lines.
 *
 * The message may quote a peer, who must not be able to write frames.
 */
export function stackText({ message, stack }: Error): string | undefined {
  if (stack === undefined) return undefined;
  const begin = message === '' ? -1 : stack.indexOf(message);
  const end = begin === -1 ? 0 : begin + message.length;
  const frames = stack.slice(end).replaceAll(/[^\n]+|\n(?! {4}at )/g, escapeText);
  return escapeText(stack.slice(0, end)) + frames;
}
