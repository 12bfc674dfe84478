import { until } from './until.ts';

/** An HTTP answer that follows every rule of RFC 9112. */
export interface HttpAnswer {
  readonly status: number;
  /** Header values by lower-case name. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** What a client has read so far, one character for each byte. */
interface Reader {
  readonly answer: string;
  readonly ended: boolean;
  readonly closed: boolean;
}

/** Waits until the server has sent everything and ended, and reads the single answer in it. */
export async function answerOf(reader: Reader, withinMs?: number): Promise<HttpAnswer> {
  await until(() => reader.ended || reader.closed, 'the server has answered and ended', withinMs);
  return parseAnswer(reader.answer);
}

const STATUS_LINE = /^HTTP\/1\.1 ([1-5]\d\d) [\t -~\x80-\xff]*$/;
const HEADER_LINE = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*((?:[!-~\x80-\xff][\t -~\x80-\xff]*)?)$/;

/**
 * Reads one HTTP/1.1 answer and nothing after it.
 *
 * Throws at anything that two readers could interpret differently: a bare CR or LF, a repeated header, a
 * length that differs from the body's, a transfer coding, bytes after the body.
 */
export function parseAnswer(text: string): HttpAnswer {
  const end = text.indexOf('\r\n\r\n');
  if (end === -1) throw new Error(`no complete head: ${JSON.stringify(text)}`);
  const [statusLine = '', ...lines] = text.slice(0, end).split('\r\n');
  const status = STATUS_LINE.exec(statusLine)?.[1];
  if (status === undefined) throw new Error(`bad status line: ${JSON.stringify(statusLine)}`);
  const answer = { status: Number(status), headers: headersOf(lines), body: text.slice(end + 4) };
  checkFraming(answer);
  return answer;
}

function headersOf(lines: readonly string[]): Map<string, string> {
  const headers = new Map<string, string>();
  for (const line of lines) {
    const [, name, value = ''] = HEADER_LINE.exec(line) ?? [];
    if (name === undefined) throw new Error(`bad header line: ${JSON.stringify(line)}`);
    const key = name.toLowerCase();
    if (headers.has(key)) throw new Error(`header ${key} comes twice`);
    headers.set(key, value.trimEnd());
  }
  return headers;
}

function checkFraming({ headers, body }: HttpAnswer): void {
  if (headers.has('transfer-encoding')) throw new Error('a refusal needs no transfer coding');
  const length = headers.get('content-length');
  if (length !== String(body.length)) {
    throw new Error(`Content-Length ${length}, but ${body.length} bytes of body`);
  }
  const options = (headers.get('connection') ?? '').toLowerCase().split(/, */);
  if (!options.includes('close')) throw new Error('a refusal must announce the close');
}
