import { styleText } from 'node:util';
import type { Logger } from 'mooring';

/** The fields that this log prints. `logEvents` has escaped every text in them. */
interface Fields {
  readonly event?: string;
  readonly id?: string;
  readonly key?: string;
  readonly handler?: string;
  readonly err?: Error;
  readonly [field: string]: unknown;
}

type Style = Parameters<typeof styleText>[0];

const signs = { info: '·', warn: '▲', error: '✕' } as const;
const styles = { info: 'cyan', warn: 'yellow', error: 'red' } as const;

const isColourful = process.stdout.isTTY === true && process.env['NO_COLOR'] === undefined;

/** A human-readable log: one aligned line for each event, in colour on a terminal. */
export const consoleLog: Logger = {
  info: (fields, message) => print('info', fields as Fields, message),
  warn: (fields, message) => print('warn', fields as Fields, message),
  error: (fields, message) => print('error', fields as Fields, message),
};

function print(level: keyof typeof signs, fields: Fields, message: string): void {
  const { event = '', id = '', key = '' } = fields;
  const columns = [
    paint('gray', new Date().toISOString().slice(11, 23)),
    paint(styles[level], signs[level]),
    paint('gray', id.padEnd(4)),
    column(key, 22),
    paint(styles[level], event.replace('connection.', '').padEnd(19)),
    details(fields, message),
  ];
  console.log(columns.join('  ').trimEnd());
}

function details(fields: Fields, message: string): string {
  switch (fields.event) {
    case 'connection.opened':
      return `from ${fields['address']}`;
    case 'connection.closing':
      return `${fields['code']} by ${fields['origin']}${quoted(fields['reason'])}`;
    case 'connection.closed':
      return closedDetails(fields);
    case 'connection.failed':
      return `${fields['cause']}${httpStatus(fields)} from ${fields['address']}`;
    case 'handler.errored':
      return `${fields.handler}: ${fields.err?.message}`;
    case 'connection.suspect':
    case 'connection.asleep':
    case 'connection.healthy':
    case 'connection.congested':
    case 'connection.flowing':
      return '';
    default:
      return message.slice(message.indexOf(': ') + 1).trim();
  }
}

function closedDetails(fields: Fields): string {
  const { code, origin, cause, reason, clean, openMs, bytesIn, bytesOut } = fields;
  const ending = `${code} by ${origin}: ${cause}${quoted(reason)}`;
  const handshake = clean ? 'clean' : 'not clean';
  const seconds = (Number(openMs) / 1_000).toFixed(1);
  const bytes = `in ${kilobytes(bytesIn)}, out ${kilobytes(bytesOut)}`;
  return `${ending}  ${paint('gray', `${handshake}, open ${seconds} s, ${bytes}`)}`;
}

function httpStatus(fields: Fields): string {
  const status = fields['httpStatus'];
  return status === undefined ? '' : `, answered with ${status}`;
}

function quoted(reason: unknown): string {
  return typeof reason === 'string' && reason !== '' ? ` "${reason}"` : '';
}

function kilobytes(bytes: unknown): string {
  return `${(Number(bytes) / 1_000).toFixed(1)} kB`;
}

function column(text: string, width: number): string {
  return text.length > width ? `${text.slice(0, width - 1)}…` : text.padEnd(width);
}

function paint(style: Style, text: string): string {
  return isColourful ? styleText(style, text) : text;
}
