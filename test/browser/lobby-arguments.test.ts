import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { readArguments, UsageError } from '../../docs/examples/lobby/arguments.ts';
import { LobbyProcess, SERVER } from './lobby-process.ts';

const defaults = { port: 8080, workers: 1, nats: undefined };

const valid = [
  { args: [], options: defaults },
  { args: ['--port', '0', '--workers', '2'], options: { ...defaults, port: 0, workers: 2 } },
  { args: ['--workers=16'], options: { ...defaults, workers: 16 } },
  { args: ['--nats', 'nats://a:4222'], options: { ...defaults, nats: 'nats://a:4222' } },
  { args: ['--nats', 'tls://[::1]:1'], options: { ...defaults, nats: 'tls://[::1]:1' } },
  { args: ['--nats', 'localhost'], options: { ...defaults, nats: 'nats://localhost' } },
  { args: ['--help'], options: { help: true } },
] as const;

const invalid = [
  ...['banana', '65536', '-1', '80.5', ''].map((text) => ({
    args: [`--port=${text}`],
    problem: `--port must be a whole number from 0 to 65535, not '${text}'`,
  })),
  ...['0', '17', 'two', ''].map((text) => ({
    args: [`--workers=${text}`],
    problem: `--workers must be a whole number from 1 to 16, not '${text}'`,
  })),
  ...['', 'http://a:4222', 'nats://', 'nats://a:port', 'nats://me:secret@a:4222', 'a b'].map(
    (text) => ({
      args: [`--nats=${text}`],
      problem: `--nats must be the address of a nats-server, for example nats://127.0.0.1:4222, not '${text}'`,
    }),
  ),
];

describe('lobby command line', () => {
  for (const { args, options } of valid) {
    it(`accepts ${args.join(' ') || 'nothing'}`, () => {
      assert.deepEqual(readArguments([...args]), options);
    });
  }

  for (const { args, problem } of invalid) {
    it(`refuses ${args.join(' ')}`, () => {
      assert.throws(() => readArguments(args), new UsageError(problem));
    });
  }

  it('refuses an option that it does not have', () => {
    assert.throws(() => readArguments(['--url', 'nats://a']), UsageError);
  });

  it('prints what is wrong and how to use it, without a stack, and exits with 1', async () => {
    await using lobby = new LobbyProcess('--workers=0');
    const { exitCode, output } = await lobby.outcome();
    assert.equal(exitCode, 1);
    assert.match(output, /^--workers must be .*\n\nUsage: server\.js/);
    assert.doesNotMatch(output, /at .*\.ts:/);
  });

  for (const workers of ['1', '2']) {
    it(`names the port that is taken, with ${workers} of its processes`, async () => {
      const squatter = createServer();
      await new Promise<void>((resolve) => squatter.listen(0, '127.0.0.1', resolve));
      const address = squatter.address();
      const port = typeof address === 'object' ? String(address?.port) : '';
      await using lobby = new LobbyProcess('--port', port, '--workers', workers);
      const { exitCode, output } = await lobby.outcome();
      squatter.close();
      assert.equal(exitCode, 1);
      assert.equal(output, `Port ${port} is in use; choose another one with --port N\n`);
    });
  }
});

describe('lobby without a nats-server', () => {
  const installed = ['/usr/sbin', '/usr/local/sbin'].some((folder) =>
    existsSync(join(folder, 'nats-server')),
  );

  /** Runs it where nothing can be found or downloaded. Returns what it prints on its way out. */
  const problemWith = async (env: NodeJS.ProcessEnv): Promise<string> => {
    const empty = await mkdtemp(join(tmpdir(), 'mooring-lobby-'));
    const args = [SERVER, '--workers', '2', '--port', '0'];
    const child = spawn(process.execPath, args, {
      env: { PATH: empty, HOME: empty, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const [[exitCode], printed, problem] = await Promise.all([
      once(child, 'close'),
      text(child.stdout),
      text(child.stderr),
    ]);
    await rm(empty, { recursive: true });
    assert.equal(exitCode, 1);
    assert.equal(printed, '');
    return problem;
  };

  const skip = installed && 'a nats-server is installed here';
  it('names the commands that install one in one sentence, and exits with 1', {
    skip,
  }, async () => {
    const problem = await problemWith({});
    assert.match(
      problem,
      /^There is no nats-server here: [^.\n]*apt install nats-server[^\n]*\.\n$/,
    );
    assert.match(problem, /docker run .* --nats nats:.* NATS_SERVER /);
  });

  it('names a program that is not a nats-server, and exits with 1', async () => {
    for (const program of ['/no/such/nats-server', process.execPath]) {
      const problem = await problemWith({ NATS_SERVER: program });
      assert.ok(problem.startsWith(`NATS_SERVER is set to '${program}', which does not run`));
      assert.equal(problem.trim().split('\n').length, 1, problem);
    }
  });
});
