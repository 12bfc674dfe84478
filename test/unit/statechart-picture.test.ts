import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { readChart } from '../../docs/statecharts/chart.ts';
import { drawChart } from '../../docs/statecharts/picture.ts';
import { type Subject, subjects } from '../../docs/statecharts/subjects.ts';
import {
  type StateConfig,
  writtenFacts,
  writtenOrders,
  writtenStates,
} from '../support/statechart-config.ts';

// Goal: a picture shows its whole chart, legibly. Method: the configuration of the machine lists the
// content, read without the code that draws; the SVG is read as text.

/** A group of the picture with its content. Groups of states and arrows contain no other groups but the badge. */
interface Group {
  readonly classes: readonly string[];
  readonly attributes: Readonly<Record<string, string>>;
  readonly body: string;
}

function groupsOf(svg: string): Group[] {
  return svg
    .split('\n')
    .filter((line) => /^<g class="(state|arrow)/.test(line))
    .map((line) => {
      const [, head = '', body = ''] = /^<g ([^>]*)>(.*)<\/g>$/.exec(line) ?? [];
      const attributes = Object.fromEntries(
        [...head.matchAll(/([\w-]+)="([^"]*)"/g)].map(([, name = '', value = '']) => [
          name,
          value.replaceAll('&gt;', '>'),
        ]),
      );
      return { attributes, body, classes: (attributes['class'] ?? '').split(' ') };
    });
}

function textsOf(markup: string): string {
  return markup.replaceAll(/<title>.*?<\/title>/g, '').replaceAll(/<[^>]+>/g, ' ');
}

interface Area {
  readonly what: string;
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** The areas of the arrow texts, in a wide font. */
function labelAreas(groups: readonly Group[]): Area[] {
  return groups
    .filter(({ classes }) => classes.includes('arrow'))
    .flatMap(({ body }) =>
      [...body.matchAll(/<text class="\w+" x="([\d.-]+)" y="([\d.-]+)">(.*?)<\/text>/g)].map(
        ([, x = '', y = '', text = '']) => {
          const what = textsOf(text).replaceAll(/\s+/g, ' ');
          const [left, bottom] = [Number(x), Number(y) + 2];
          return { what, left, bottom, top: bottom - 11, right: left + what.length * 6.62 };
        },
      ),
    );
}

function boxAreas(groups: readonly Group[]): Area[] {
  return groups
    .filter(({ classes }) => classes.includes('leaf'))
    .map(({ body, attributes }) => {
      const found = /class="box" x="([\d.-]+)" y="([\d.-]+)" width="([\d.]+)" height="([\d.]+)"/;
      const [left = 0, top = 0, width = 0, height = 0] =
        found.exec(body)?.slice(1).map(Number) ?? [];
      const what = attributes['id'] ?? '';
      return { what, left, top, right: left + width, bottom: top + height };
    });
}

function overlaps(one: Area, other: Area): boolean {
  return (
    one.left < other.right &&
    other.left < one.right &&
    one.top < other.bottom &&
    other.top < one.bottom
  );
}

for (const subject of subjects) describePicture(subject);

function describePicture(subject: Subject): void {
  const { machine } = subject;
  const config = machine.config as StateConfig;
  const { id } = machine;

  describe(`picture of the ${id} chart`, () => {
    let svg: string;
    let groups: Group[];
    const group = (wanted: string) => groups.find(({ attributes }) => attributes['id'] === wanted);

    before(async () => {
      svg = await drawChart(readChart(machine), subject);
      groups = groupsOf(svg);
    });

    it('has a group for every state, with its name and its meaning', () => {
      const states = writtenStates(config);
      assert.ok(states.length > 0);
      for (const { path, config: state } of states) {
        const found = group(`${id}.${path}`);
        assert.ok(found, path);
        assert.match(textsOf(found.body), new RegExp(`\\b${path.split('.').at(-1)}\\b`));
        assert.ok(found.body.includes(state.description ?? 'described nowhere'), path);
      }
      const drawn = groups.filter(({ classes }) => classes.includes('state'));
      assert.equal(drawn.length, states.length);
    });

    it('shows every fact where it is accepted', () => {
      for (const { path, fact } of writtenFacts(config)) {
        const atArrow = groups.some(
          ({ attributes, body }) =>
            attributes['data-from'] === path &&
            attributes['data-facts']?.split(' ').includes(fact) &&
            textsOf(body).includes(fact),
        );
        const inState = textsOf(group(`${id}.${path}`)?.body ?? '').includes(fact);
        const everywhere = path === '' && textsOf(svg).includes(fact);
        assert.ok(atArrow || inState || everywhere, `${fact} in ${path}`);
      }
    });

    it('shows every deadline in its state', () => {
      for (const { path, config: state } of writtenStates(config)) {
        const deadline = state.meta?.deadline;
        if (deadline === undefined) continue;
        assert.ok(textsOf(group(`${id}.${path}`)?.body ?? '').includes(deadline), path);
      }
    });

    it('shows every order', () => {
      // A deadline that starts is shown as the deadline itself.
      const orders = writtenOrders(config).filter((order) => order !== 'startDeadline');
      const shown = textsOf(svg);
      assert.deepEqual(
        orders.filter((order) => !shown.includes(`/ ${order}`)),
        [],
      );
    });

    it('never uses an id twice', () => {
      const ids = [...svg.matchAll(/ id="([^"]*)"/g)].map(([, found]) => found);
      assert.deepEqual(new Set(ids).size, ids.length);
    });

    it('writes nothing over anything else', () => {
      const labels = labelAreas(groups);
      const areas = [...labels, ...boxAreas(groups)];
      assert.ok(labels.length > 0);
      const clashes = labels.flatMap((label) =>
        areas
          .filter((area) => area !== label && overlaps(label, area))
          .map((area) => `${label.what} and ${area.what}`),
      );
      assert.deepEqual(clashes, []);
    });

    it('keeps every text inside', () => {
      const [, width = 0] = /width="([\d.]+)"/.exec(svg)?.map(Number) ?? [];
      const outside = labelAreas(groups).filter(
        ({ left, right }) => left < 0 || right > width - 40,
      );
      assert.deepEqual(outside, []);
    });

    it('scopes its style to itself, and has one for dark mode', () => {
      const [, style = ''] = /<style>(.*?)<\/style>/s.exec(svg) ?? [];
      assert.match(style, /@media \(prefers-color-scheme: dark\)/);
      const rules = style.replaceAll(/@media[^{]*/g, '').match(/[^{}]+(?=\{)/g) ?? [];
      const selectors = rules.flatMap((rule) => rule.split(',')).map((selector) => selector.trim());
      const loose = selectors.filter((one) => one !== '' && !one.startsWith('.statechart'));
      assert.deepEqual(loose, []);
    });

    it('gives every state a place for a count, and a class that lights it', () => {
      for (const { path } of writtenStates(config)) {
        const body = group(`${id}.${path}`)?.body ?? '';
        assert.match(body, /<g class="badge">.*<text class="count"[^>]*><\/text><\/g>/);
      }
      assert.match(svg, /\.statechart \.is-active/);
    });

    it('emphasizes the path of a life without incidents', () => {
      const main = groups.filter(({ classes }) => classes.includes('main'));
      const ids = main.flatMap(({ attributes }) => attributes['id'] ?? []);
      assert.deepEqual(ids.sort(), subject.mainArrows.map((arrow) => `${id}.${arrow}`).sort());
    });
  });
}

describe('drawChart', () => {
  it('refuses styles for anything that the chart lacks', async () => {
    for (const subject of subjects) {
      const chart = readChart(subject.machine);
      const strangeArrow = { ...subject, mainArrows: ['open>heaven'] };
      await assert.rejects(drawChart(chart, strangeArrow), /open>heaven/);
      const strangeTone = { ...subject, tones: { limbo: 'gray' } };
      await assert.rejects(drawChart(chart, strangeTone), /limbo/);
    }
  });
});
