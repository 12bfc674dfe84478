import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';

/** Set in a process that was started in a network of its own: the title of the single test that it runs. */
const INSIDE = 'MOORING_NETNS_TEST';
/** A test in a namespace has ended by then, whatever happens in it. */
const WITHIN_MS = 60_000;

const path = `${process.env['PATH']}:/usr/sbin:/sbin`;
const loopbackUp = 'ip link set lo up && exec "$@"';

/**
 * A test that needs a network of its own.
 *
 * It runs in a separate process in a new network namespace with only a loopback device, which no other
 * process can reach and which disappears with the process. Where the machine does not allow that, the
 * test is skipped and gives the reason.
 *
 * @param file - `import.meta.url` of the test file, which runs again inside.
 */
export function itInNamespace(file: string, title: string, body: () => Promise<void>): void {
  const inside = process.env[INSIDE];
  if (inside === title) it(title, body);
  if (inside !== undefined) return;
  const reason = obstacle();
  if (reason === undefined) it(title, () => runInside(fileURLToPath(file), title));
  else it(title, { skip: reason });
}

let known: { reason: string | undefined } | undefined;

/** What keeps this machine from creating network namespaces, if anything does. */
function obstacle(): string | undefined {
  known ??= { reason: look() };
  return known.reason;
}

function look(): string | undefined {
  const probe = [...namespaceCommand, 'sh', '-c', `${loopbackUp}`, 'sh', 'nft', 'list', 'ruleset'];
  const { error, status, stderr } = spawnSync('env', probe, { encoding: 'utf8', timeout: 10_000 });
  if (error !== undefined) return `no network namespace: ${error.message}`;
  return status === 0 ? undefined : `no network namespace: ${stderr.trim()}`;
}

/** Root may do it directly, other users as root of a user namespace, where the kernel allows that. */
const namespaceCommand = [
  `PATH=${path}`,
  'unshare',
  ...(process.getuid?.() === 0 ? ['--net'] : ['--user', '--map-root-user', '--net']),
  '--',
];

async function runInside(file: string, title: string): Promise<void> {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const node = [process.execPath, '--enable-source-maps', file];
  const command = [...namespaceCommand, 'sh', '-c', loopbackUp, 'sh', ...node];
  const child = spawn('env', command, {
    env: { ...env, [INSIDE]: title },
    timeout: WITHIN_MS,
    killSignal: 'SIGKILL',
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const code = await new Promise((resolve) => child.once('close', resolve));
  if (code !== 0) throw new Error(`inside the namespace (exit ${code}):\n${output}`);
  if (!/^# tests 1$|ℹ tests 1$/m.test(output)) throw new Error(`not one test ran:\n${output}`);
}

/** The cable of a port: while it is cut, every packet to or from the port is lost without a sign. */
export class Cable {
  readonly #port: number;

  constructor(port: number) {
    this.#port = port;
  }

  cut(): void {
    const drops = ['dport', 'sport'].map((end) => `tcp ${end} ${this.#port} drop`).join('\n');
    const chain = `chain loss {\ntype filter hook input priority 0\n${drops}\n}`;
    change('nft', ['--file', '-'], `table inet cable {\n${chain}\n}\n`);
  }

  repair(): void {
    change('nft', ['delete', 'table', 'inet', 'cable']);
  }
}

/** Disables the only network device, or enables it again. */
export function setLoopback(state: 'up' | 'down'): void {
  change('ip', ['link', 'set', 'lo', state]);
}

/** Sets a kernel parameter below `net.ipv4`, for example `tcp_retries2`. */
export function setKernel(name: string, value: string): void {
  change('tee', [`/proc/sys/net/ipv4/${name}`], value);
}

/** Changes a network, which must be a private one. */
function change(command: string, args: readonly string[], input = ''): void {
  if (process.env[INSIDE] === undefined) throw new Error('not in a namespace');
  execFileSync(command, args, { input, env: { ...process.env, PATH: path } });
}
