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

type Level = 'info' | 'warn' | 'error';

const signs = { info: '·', warn: '▲', error: '✕' } as const;
const styles = { info: 'cyan', warn: 'yellow', error: 'red' } as const satisfies Record<
  Level,
  Style
>;

/** With a bus, an id begins with the name of its process: `k3v9x2.c1`. */
const ID_WIDTH = 10;

const isColourful = process.stdout.isTTY === true && process.env['NO_COLOR'] === undefined;

/**
 * A human-readable log: one aligned line for each event, in colour on a terminal.
 *
 * @param worker - the name of the process that logs, if there are several.
 */
export function consoleLog(worker = ''): Logger {
  const printAs = (level: Level) => (fields: object, message: string) => {
    const columns = columnsOf(level, fields as Fields, message);
    if (worker !== '') columns.unshift(worker);
    console.log(columns.join('  ').trimEnd());
  };
  return { info: printAs('info'), warn: printAs('warn'), error: printAs('error') };
}

function columnsOf(level: Level, fields: Fields, message: string): string[] {
  const { event = '', id = '', key = '' } = fields;
  return [
    paint('gray', new Date().toISOString().slice(11, 23)),
    paint(styles[level], signs[level]),
    paint('gray', id.padEnd(ID_WIDTH)),
    column(key, 22),
    paint(styles[level], event.replace('connection.', '').padEnd(19)),
    details(fields, message),
  ];
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
    case 'bus.down':
      return fields.err?.message ?? '';
    case 'connection.suspect':
    case 'connection.asleep':
    case 'connection.healthy':
    case 'connection.congested':
    case 'connection.flowing':
    case 'bus.up':
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
