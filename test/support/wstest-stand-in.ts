// Behaves like Autobahn's `wstest` toward a script: the same modes, specification and reports, with two
// cases. With STAND_IN=fails every second case fails. With STAND_IN=breaks it stops before its report.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { WebSocket, WebSocketServer } from 'ws';

const CASES = ['1.1.1', '9.1.1'];
const way = process.env['STAND_IN'];
const { values } = parseArgs({
  options: { mode: { type: 'string' }, spec: { type: 'string' }, webport: { type: 'string' } },
});
const spec = JSON.parse(readFileSync(values.spec ?? '', 'utf8'));
const results: Record<string, { behavior: string; behaviorClose: string }> = {};

/** One case: a text and the bytes of a large message must return. */
async function judge(socket: WebSocket, id: string): Promise<void> {
  const payload = id === '1.1.1' ? 'Hello' : Buffer.alloc(2 ** 24, id);
  const echo = await new Promise<Buffer | undefined>((resolve) => {
    socket.once('message', (data, isBinary) =>
      resolve(isBinary === (typeof payload !== 'string') ? (data as Buffer) : undefined),
    );
    socket.once('close', () => resolve(undefined));
    socket.send(payload);
  });
  const isRight = echo !== undefined && Buffer.from(payload).equals(echo);
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  socket.close(1000);
  const isClean = (await closed) === 1000;
  const isFlawed = way === 'fails' && id === '9.1.1';
  results[id] = {
    behavior: isRight && !isFlawed ? 'OK' : 'FAILED',
    behaviorClose: isClean ? 'OK' : 'FAILED',
  };
}

function report(agent: string): void {
  mkdirSync(spec.outdir, { recursive: true });
  writeFileSync(join(spec.outdir, 'index.json'), JSON.stringify({ [agent]: results }));
}

async function fuzzServers(): Promise<void> {
  const [{ agent, url }] = spec.servers;
  for (const id of CASES) {
    const socket = new WebSocket(url, { perMessageDeflate: false });
    await new Promise((resolve) => socket.once('open', resolve));
    await judge(socket, id);
  }
  report(agent);
}

function awaitClients(): void {
  const { hostname: host, port } = new URL(spec.url);
  new WebSocketServer({ host, port: Number(port) }).on('connection', (socket, request) => {
    const { pathname, searchParams } = new URL(request.url ?? '', spec.url);
    const number = Number(searchParams.get('case'));
    if (pathname === '/runCase') void judge(socket, CASES[number - 1] ?? '');
    if (pathname === '/getCaseCount') socket.send(String(CASES.length));
    if (pathname === '/updateReports') report(searchParams.get('agent') ?? '');
    if (pathname !== '/runCase') socket.close(1000);
  });
}

if (way === 'breaks') process.exit(3);
if (values.mode === 'fuzzingclient') await fuzzServers();
else awaitClients();
