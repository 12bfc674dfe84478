import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { read, root } from './repository.ts';
import { run } from './run.ts';

// What strangers use and this repository does not. test/setup.sh installs it.

const { dependencies } = JSON.parse(read('test/package/others/package.json')) as {
  dependencies: Record<string, string>;
};
const modules = join(root, '.test/others/node_modules');

/** A compiler that must accept the declarations. */
export interface Compiler {
  readonly name: string;
  /** The script to run. */
  readonly tsc: string;
}

/** From the oldest TypeScript that the README names to the last one before that of this repository. */
export const compilers: readonly Compiler[] = Object.keys(dependencies)
  .filter((name) => name.startsWith('typescript-'))
  .map((name) => ({ name, tsc: join(modules, name, 'bin/tsc') }));

/** A runtime that is not Node.js. */
export interface Runtime {
  readonly name: string;
  /** The arguments before the name of a program. */
  readonly args: readonly string[];
  /** The possible paths of its binary. There is one for each kind of platform for which npm has installed it. */
  readonly places: readonly string[];
}

const { platform, arch } = process;

/** Mooring works there, but does not support it officially. */
export const runtimes: readonly Runtime[] = [
  {
    name: 'bun',
    args: [],
    places: ['', '-baseline', '-musl', '-musl-baseline'].map((kind) =>
      join(modules, `@oven/bun-${platform}-${arch === 'arm64' ? 'aarch64' : arch}${kind}/bin/bun`),
    ),
  },
  {
    name: 'deno',
    args: ['run', '--allow-all', '--no-lock'],
    places: ['-glibc', ''].map((kind) => join(modules, `@deno/${platform}-${arch}${kind}/deno`)),
  },
];

/** The binary of a runtime that starts here, or the reason why there is none. */
export async function binaryOf({ name, places }: Runtime): Promise<{ path: string } | string> {
  const reasons: string[] = [];
  for (const path of places.filter(existsSync)) {
    const { status, output } = await run(path, ['--version'], root);
    if (status === 0 && output.includes(dependencies[name] ?? '?')) return { path };
    reasons.push(`${path} --version: ${status} ${output.trim()}`);
  }
  return reasons.length > 0
    ? reasons.join('; ')
    : `npm has no ${name} for ${platform} ${arch}, or could not install it: sh test/setup.sh package`;
}

/** A server, clients and a topic in one program, and what it prints. */
export const fanOutProgram = `
import { createSupervisor, listen } from 'mooring';
import { createClient } from 'mooring/client';

const PEERS = 3;
const causes = [];
let done;
const everybodyLeft = new Promise((resolve) => (done = resolve));
let joined;
const everybodyJoined = new Promise((resolve) => (joined = resolve));
const supervisor = createSupervisor({
  onOpen(connection) {
    connection.join('news');
    if (supervisor.topic('news').size === PEERS) joined();
  },
  onMessage: (_connection, message) => void supervisor.topic('news').publish({ heard: message }),
  onClose: (_connection, { cause }) => void (causes.push(cause) === PEERS && done()),
});
const listener = await listen(supervisor);
const clients = Array.from({ length: PEERS }, () => createClient(listener.url));
const heard = clients.map((client) => new Promise((resolve) => client.messages$.subscribe(resolve)));
await everybodyJoined;
clients[0].send({ text: 'grüß dich' });
const messages = await Promise.all(heard);
await Promise.all(clients.map((client) => client.close(4001, 'enough')));
await everybodyLeft;
const { forced } = await supervisor.drain();
await listener.close();
console.log(JSON.stringify({ messages, causes, forced }));
`;

const message = { heard: { text: 'grüß dich' } };

/**
 * The output of the program. Bun destroys a socket before it reports that the peer has closed, which looks
 * like foreign code.
 */
export function fanOutPrints({ name }: { name: string }): object {
  const cause = name === 'bun' ? 'taken-away' : 'peer-close';
  return { messages: [message, message, message], causes: [cause, cause, cause], forced: 0 };
}

/** Two supervisors on one bus over NATS, as if each were in a process of its own. NATS_URL names the server. */
export const processesProgram = `
import { createSupervisor, listen } from 'mooring';
import { createClient } from 'mooring/client';
import { natsBus } from 'mooring/nats';

const bus = natsBus({ servers: process.env.NATS_URL, name: \`package-\${process.pid}\` });
const onOpen = (connection) => void connection.join('news');
const supervisors = [createSupervisor({ bus, onOpen }), createSupervisor({ bus, onOpen })];
const ups = supervisors.map(({ events$ }) => {
  return new Promise((resolve) => events$.subscribe(({ type }) => type === 'bus.up' && resolve()));
});
await Promise.all(ups);
const [one, other] = supervisors;
const listener = await listen(other);
const client = createClient(listener.url);
const heard = new Promise((resolve) => client.messages$.subscribe(resolve));
// Until the other process has heard of the member.
const timer = setInterval(() => one.topic('news').publish({ text: 'grüß dich' }), 20);
const message = await heard;
clearInterval(timer);
const { forwarded } = one.broadcast('all');
await client.close();
await Promise.all(supervisors.map((supervisor) => supervisor.drain()));
await listener.close();
console.log(JSON.stringify({ message, forwarded, states: supervisors.map(({ bus }) => bus) }));
`;

/** The output of that program. */
export const processesPrints = {
  message: { text: 'grüß dich' },
  forwarded: true,
  states: ['down', 'down'],
};
