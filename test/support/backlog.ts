import type { SendResult } from '../../src/index.ts';
import { until } from './until.ts';

interface Sender {
  readonly bufferedBytes: number;
  send(message: unknown): SendResult;
}

const FILLER = 'x'.repeat(65_536);
const LOOKS = 3;

/** Sends until this many bytes wait in this process and remain, because the peer does not read. */
export async function fillBacklog(connection: Sender, bytes: number): Promise<void> {
  let looks = 0;
  await until(() => {
    if (connection.bufferedBytes >= bytes) looks += 1;
    else looks = 0;
    while (connection.bufferedBytes < bytes && connection.send(FILLER) !== 'refused');
    return looks >= LOOKS;
  }, 'a backlog remains');
}
