import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { appendFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { createMachine } from 'xstate';
import { filesOf, generatedFiles } from '../../docs/statecharts/files.ts';
import { type Subject, subjects } from '../../docs/statecharts/subjects.ts';
import { orderMeanings } from '../../docs/statecharts/words.ts';
import { type Row, read, tableRows } from '../package/repository.ts';
import {
  type StateConfig,
  writtenFacts,
  writtenOrders,
  writtenStates,
} from '../support/statechart-config.ts';

/** The deadlines that are no options, by the text that stands in their place. */
const fixedDeadlines: Readonly<Record<string, string>> = {
  'always 1 s': 'refusalMs',
  'always 10 s': 'answerMs',
  '250 ms, doubled up to 30 s': 'retryMs',
  '250 ms, 2 s, then forMs / 4': 'checkMs',
  'always 250 ms': 'graceMs',
  'always 120 s': 'lingerMs',
};

const run = promisify(execFile);
const GENERATE = join(import.meta.dirname, '../../docs/generate.js');

/** Adds something to the configuration of a machine. Everything else stays unchanged. */
function withPlant(subject: Subject, plant: (config: PlantedConfig) => void): Subject {
  const config = structuredClone(withoutFunctions(subject.machine.config)) as PlantedConfig;
  plant(config);
  return { ...subject, machine: createMachine(config as object) as Subject['machine'] };
}

type PlantedConfig = {
  states: Record<string, { on?: Record<string, unknown>; [more: string]: unknown }>;
};

/** Functions in a configuration cannot be cloned, and the drawing does not depend on them. */
function withoutFunctions(value: unknown): unknown {
  if (typeof value === 'function') return undefined;
  if (Array.isArray(value)) return value.map(withoutFunctions);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, withoutFunctions(inner)]),
  );
}

const [connection, supervisor] = subjects;

for (const subject of subjects) describePage(subject);

function describePage({ machine, facts, orders }: Subject): void {
  const config = machine.config as StateConfig;

  describe(`page of the ${machine.id} chart`, () => {
    const page = read(`docs/statecharts/${machine.id}.md`);
    const rowsOf = (heading: string) => tableRows(page, heading);
    const plain = (text: string) => text.replaceAll('`', '');

    it('shows the picture', () => {
      assert.ok(page.includes(`](${machine.id}.svg)`));
    });

    it('gives for every state the text of the chart, with its deadline', () => {
      const expected = writtenStates(config).map(({ path, config: state }) => {
        const { description = '', meta } = state;
        return [path, plain(description), meta?.deadline ?? '–'];
      });
      const told = rowsOf('States').map(({ State, Meaning, Deadline = '' }) => {
        const [, option = Deadline] = /^\[(\w+)\]/.exec(Deadline) ?? [];
        return [State, Meaning, fixedDeadlines[option] ?? option];
      });
      assert.deepEqual(told, expected);
    });

    it('links to a page that has the option', () => {
      const cells = ['States', 'Deadlines'].flatMap((heading) =>
        rowsOf(heading).map(({ Deadline = '' }) => Deadline),
      );
      for (const cell of cells.filter((text) => text.startsWith('['))) {
        const [, option = '', target = ''] = /^\[(\w+)\]\(\.\.\/([^)#]+)/.exec(cell) ?? [];
        assert.match(read(`docs/${target}`), new RegExp(`\\b${option}\\b`), cell);
      }
    });

    it('lists every fact with its meaning, and the states that accept it', () => {
      const rows = rowsOf('Facts');
      assert.deepEqual(
        rows.map(({ Fact, Meaning }) => [Fact, Meaning]),
        Object.entries(facts).map(([fact, meaning]) => [fact, plain(meaning)]),
      );
      for (const { path, fact } of writtenFacts(config)) {
        const places = cellOf(rows, fact, 'Taken in').split('<br>');
        const name = path === '' ? 'every state' : path;
        assert.ok(
          places.some((place) => place.split(/ →|,/)[0] === name),
          `${fact} in ${path}`,
        );
      }
      const count = rows.reduce(
        (sum, row) => sum + (row['Taken in'] ?? '').split('<br>').length,
        0,
      );
      assert.equal(count, writtenFacts(config).length);
    });

    it('gives every order the text of its doc comment', () => {
      const rows = rowsOf('Orders');
      const source = read(orders.source);
      for (const { Order = '', Meaning = '' } of rows) {
        const member = source
          .slice(0, source.indexOf(`  ${Order}(`))
          .replaceAll('`', '')
          .replaceAll(/[\s*/]+/g, ' ');
        assert.ok(member.trimEnd().endsWith(plain(Meaning)), Order);
      }
      const listed = rows.map(({ Order }) => Order);
      assert.deepEqual(
        writtenOrders(config).filter((order) => !listed.includes(order)),
        [],
      );
    });

    it('lists every deadline, and what follows it', () => {
      const expected = writtenStates(config)
        .filter((state) => state.config.meta?.deadline !== undefined)
        .map(({ path }) => path);
      const rows = rowsOf('Deadlines');
      assert.deepEqual(
        rows.map(({ State }) => State),
        expected,
      );
      for (const row of rows) assert.match(row['When it passes'] ?? '', /→/, row['State']);
    });
  });
}

function cellOf(rows: readonly Row[], fact: string, heading: string): string {
  return rows.find(({ Fact }) => Fact === fact)?.[heading] ?? '';
}

// Drawing takes a second, so the tests share one drawing.
const generated = generatedFiles();

describe('generated files', () => {
  it('match the committed ones', async () => {
    const stale = (await generated).filter(({ path, text }) => read(path) !== text);
    assert.deepEqual(
      stale.map(({ path }) => path),
      [],
      'npm run docs regenerates them',
    );
  });

  it('are identical each time', async () => {
    assert.deepEqual(await generatedFiles(), await generated);
  });

  it('change with a state, with an arrow and with a word', async () => {
    assert.ok(connection && supervisor);
    const plants: [Subject, (config: PlantedConfig) => void][] = [
      [
        supervisor,
        ({ states }) => Object.assign(states, { haunted: { description: 'By a test.' } }),
      ],
      [
        supervisor,
        ({ states }) =>
          Object.assign(states['suspended']?.on ?? {}, { 'fleet.emptied': 'stopped' }),
      ],
      [
        supervisor,
        ({ states }) => Object.assign(states['stopped'] ?? {}, { description: 'Other.' }),
      ],
      [
        connection,
        ({ states }) =>
          Object.assign(states['errored'] ?? {}, { meta: { deadline: 'patienceMs' } }),
      ],
    ];
    for (const [subject, plant] of plants) {
      const before = await filesOf(withPlant(subject, () => {}));
      const after = await filesOf(withPlant(subject, plant));
      assert.deepEqual(before, await filesOf(subject), 'a copy is drawn like the original');
      for (const [index, file] of after.entries()) assert.notEqual(file.text, before[index]?.text);
    }
  });

  it('are refused with a fact or an order that has no meaning', async () => {
    assert.ok(supervisor);
    const strangeFact = withPlant(supervisor, ({ states }) => {
      Object.assign(states['admitting'] ?? {}, { on: { 'moon.rose': 'draining' } });
    });
    await assert.rejects(filesOf({ ...strangeFact, mainArrows: [], examples: [] }), /moon\.rose/);
    const strangeOrder = withPlant(supervisor, ({ states }) => {
      Object.assign(states['stopped'] ?? {}, { entry: 'howl' });
    });
    await assert.rejects(filesOf(strangeOrder), /howl/);
    const { source } = supervisor.orders;
    assert.throws(() => orderMeanings({ name: 'NobodysOrders', source }), /no orders/);
  });
});

describe('generate', () => {
  it('--check names the stale file, and changes nothing', async (context) => {
    const into = await mkdtemp(join(tmpdir(), 'statecharts-'));
    context.after(() => rm(into, { recursive: true }));
    const path = 'docs/statecharts/supervisor.md';
    for (const file of await generated) {
      await mkdir(dirname(join(into, file.path)), { recursive: true });
      await writeFile(join(into, file.path), read(file.path));
    }
    await appendFile(join(into, path), 'by hand\n');
    const { code, stderr } = await failed([GENERATE, 'statecharts', '--into', into, '--check']);
    assert.equal(code, 1);
    assert.equal(stderr, `stale: ${path}\nnpm run docs makes them again\n`, 'another process');
    assert.match(await readFile(join(into, path), 'utf8'), /by hand\n$/);
    await run(process.execPath, [GENERATE, 'statecharts', '--into', into]);
    assert.equal(await readFile(join(into, path), 'utf8'), read(path));
    await run(process.execPath, [GENERATE, 'statecharts', '--into', into, '--check']);
  });
});

async function failed(args: string[]): Promise<{ code?: unknown; stderr?: unknown }> {
  try {
    await run(process.execPath, args);
  } catch (error) {
    return error as { code?: unknown; stderr?: unknown };
  }
  throw new Error('no file was stale');
}
