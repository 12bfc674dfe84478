import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type AnyStateMachine, createActor } from 'xstate';
import { readChart } from '../../docs/statecharts/chart.ts';
import { type Subject, subjects } from '../../docs/statecharts/subjects.ts';
import { innermost, walk } from '../../docs/statecharts/walk.ts';
import { hide } from '../../machines/index.ts';
import { read, tableRows } from '../package/repository.ts';
import { type StateConfig, writtenStates } from '../support/statechart-config.ts';

// Goal: each step of an example is an edge of its machine, and page and picture match it. Method: send an actor of the
// machine the facts that the page lists, and compare its states with the page and with the committed picture.

/** The paths of all active states of an actor. */
function activePaths(machine: AnyStateMachine, facts: readonly string[]): string[] {
  const owner = new Proxy({}, { get: () => () => undefined });
  const actor = createActor(machine, { input: hide(owner) }).start();
  for (const type of facts) actor.send({ type });
  const snapshot = actor.getSnapshot();
  return writtenStates(machine.config as StateConfig)
    .map(({ path }) => path)
    .filter((path) => snapshot.matches(nested(path.split('.')) as never));
}

function nested([name = '', ...inner]: readonly string[]): unknown {
  return inner.length === 0 ? name : { [name]: nested(inner) };
}

/** The layers of the steps: the facts and texts of each step, and all that it lights. */
function layersOf(svg: string): string[] {
  const [, steps = ''] = svg.split('<g class="steps"');
  return steps.split('<g class="step"').slice(1);
}

/** The names of the innermost states that a layer lights. */
function namesLit(layer: string): unknown[] {
  return [...layer.matchAll(/class="name"[^>]*>(\w+)</g)].map(([, name]) => name);
}

const count = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].length;

for (const subject of subjects) describeExamples(subject);

function describeExamples(subject: Subject): void {
  const { machine, examples } = subject;
  const chart = readChart(machine);
  const page = read(`docs/statecharts/${machine.id}.md`);

  describe(`examples of the ${machine.id} chart`, () => {
    it('exist, each with a unique name', () => {
      assert.ok(examples.length > 0);
      assert.equal(new Set(examples.map(({ name }) => name)).size, examples.length);
    });

    for (const { name, title } of examples) {
      const rows = tableRows(page, title);
      const facts = rows.slice(1).map(({ Fact = '' }) => Fact);
      const svg = read(`docs/statecharts/${machine.id}-${name}.svg`);
      const layers = layersOf(svg);

      it(`follow edges of the machine: ${name}`, () => {
        assert.ok(facts.length > 1);
        for (const [index, row] of rows.entries()) {
          const active = activePaths(machine, facts.slice(0, index));
          const deepest = innermost(chart, active);
          assert.equal(row['Active states'], deepest.join(', '), `step ${index}`);
          if (index > 0) assert.notEqual(row['Active states'], rows[index - 1]?.['Active states']);
        }
      });

      it(`light the active states in each step, and follow an arrow: ${name}`, () => {
        assert.equal(layers.length, rows.length);
        for (const [index, layer] of layers.entries()) {
          const active = activePaths(machine, facts.slice(0, index));
          assert.equal(count(layer, /is-active/g), active.length, `step ${index}`);
          const names = innermost(chart, active).map((path) => path.split('.').at(-1));
          assert.deepEqual(namesLit(layer), names, `step ${index}`);
          assert.equal(count(layer, /is-taken/g), index === 0 ? 0 : 1, `step ${index}`);
          const fact = facts[index - 1] ?? 'at the start';
          assert.ok(layer.includes(`>${index}/${facts.length}  ${fact}<`), fact);
        }
      });

      it(`play for as long as there are steps, and stand still for readers who prefer that: ${name}`, () => {
        const [, loop, step] =
          /animation: statechart-step ([\d.]+)s .*calc\(var\(--step\) \* ([\d.]+)s\)/.exec(svg) ??
          [];
        assert.equal(Number(loop), Number(step) * layers.length);
        assert.match(svg, /@media \(prefers-reduced-motion: reduce\)/);
        assert.ok(
          page.includes(
            `<source media="(prefers-reduced-motion: reduce)" srcset="${machine.id}-${name}.svg#still">`,
          ),
        );
        assert.match(svg, /<g class="whole" id="still">/);
      });

      it(`never use an id twice, and write nothing over the buttons: ${name}`, () => {
        const ids = [...svg.matchAll(/ id="([^"]*)"/g)].map(([, found]) => found);
        assert.equal(new Set(ids).size, ids.length);
        const captions = [...svg.matchAll(/<text class="step-\w+"[^>]*>([^<]*)</g)];
        const long = captions.filter(([, text = '']) => text.length > 70);
        assert.deepEqual(long, []);
      });
    }
  });
}

describe('walk', () => {
  it('refuses a fact that moves nothing', () => {
    const [connection] = subjects;
    assert.ok(connection);
    const { machine, examples } = connection;
    const [example] = examples;
    assert.ok(example);
    const lost = { ...example, steps: [...example.steps, { fact: 'socket.opened', text: '' }] };
    assert.throws(() => walk(machine, readChart(machine), lost), /socket\.opened moves nothing/);
  });
});
