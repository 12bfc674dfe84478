const BIN_MS = 100;
const SHOWN_MS = 6_000;
const LEFT = 58;
const WIDTH = 778;
const HEIGHT = 128;
const PANEL_HEIGHT = 210;
/** The levels of the grid are multiples of this, so that three or four fit. */
const LEVEL = 200;

/** When the clients of each run arrived, in milliseconds since the restart began. */
export type Runs = Readonly<Record<keyof typeof panels, readonly number[]>>;

const panels = {
  plain: { title: 'setTimeout(connect, 1000)', about: 'the server is killed, and is back after' },
  after: { title: 'Mooring clients', about: 'the server is killed, and is back after' },
  drain: {
    title: 'Mooring clients and drain',
    about: 'another process serves, and the server drains at 500 clients per second',
  },
};

const style = `
.storm { color-scheme: light dark; --storm-ground: #ffffff; --storm-frame: #d9e3ea; --storm-ink: #14283a; --storm-soft: #4b6073; --storm-red: #b3261e; --storm-blue: #1d5fa8; --storm-green: #0d7049 }
@media (prefers-color-scheme: dark) { .storm { --storm-ground: #111e29; --storm-frame: #233543; --storm-ink: #e2ebf2; --storm-soft: #a3b5c4; --storm-red: #ff8f86; --storm-blue: #86bcf7; --storm-green: #55d6a0 } }
.storm text { font: 11px ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: var(--storm-soft) }
.storm text.title { font: 650 14px system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif; fill: var(--storm-ink) }
.storm text.unit { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif }
.storm text.peak { font: 700 12px system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif; fill: var(--tone); text-anchor: end }
.storm text.tick, .storm text.middle { text-anchor: middle }
.storm text.level, .storm text.end { text-anchor: end }
.storm .ground { fill: var(--storm-ground); stroke: var(--storm-frame) }
.storm .grid { stroke: var(--storm-frame); stroke-width: 1 }
.storm .down { fill: var(--storm-soft); fill-opacity: 0.12 }
.storm .bar { fill: var(--tone) }
.storm .plain { --tone: var(--storm-red) }
.storm .after { --tone: var(--storm-blue) }
.storm .drain { --tone: var(--storm-green) }
`;

/** The picture, in SVG. @param downMs - how long nobody served, in the runs without a drain. */
export function markup(runs: Runs, downMs: number): string {
  const bins = Object.entries(runs).map(([name, arrivals]) => ({
    name,
    counts: countsOf(arrivals),
  }));
  const most = Math.max(...bins.flatMap(({ counts }) => counts));
  const top = Math.ceil(most / LEVEL) * LEVEL;
  const height = 46 + PANEL_HEIGHT * bins.length;
  const count = Object.values(runs)[0]?.length ?? 0;
  const clients = count.toLocaleString('en');
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" class="storm" role="img" aria-label="Arrivals per 100 ms after a restart, for ${clients} clients" viewBox="0 0 860 ${height}" width="860" height="${height}">`,
    `<style>${style}</style>`,
    `<rect class="ground" x="0.5" y="0.5" width="859" height="${height - 1}" rx="16"/>`,
    ...bins.map(({ name, counts }, index) =>
      panel(name as keyof Runs, counts, { y: 32 + PANEL_HEIGHT * index, top, downMs, count }),
    ),
    text(
      'unit',
      LEFT,
      height - 18,
      `Connections that arrive in each 100 ms after the restart. ${clients} clients.`,
    ),
    '</svg>\n',
  ].join('\n');
}

/** How many arrived in each 100 ms that the picture shows. */
export function countsOf(arrivals: readonly number[]): readonly number[] {
  const counts = new Array<number>(SHOWN_MS / BIN_MS).fill(0);
  for (const at of arrivals) {
    const bin = Math.floor(at / BIN_MS);
    if (bin < counts.length) counts[bin] = (counts[bin] ?? 0) + 1;
  }
  return counts;
}

interface Place {
  readonly y: number;
  readonly top: number;
  readonly downMs: number;
  readonly count: number;
}

function panel(
  name: keyof Runs,
  counts: readonly number[],
  { y, top, downMs, count }: Place,
): string {
  const { title, about } = panels[name];
  const isKilled = name !== 'drain';
  const floor = y + 158;
  const later = count - counts.reduce((sum, each) => sum + each, 0);
  const levels = Array.from({ length: top / LEVEL + 1 }, (_, index) => index * LEVEL);
  const downWidth = (WIDTH * downMs) / SHOWN_MS;
  const end = LEFT + WIDTH;
  return [
    `<g class="${name}">`,
    text('title', LEFT, y, title),
    text('unit', LEFT, y + 17, isKilled ? `${about} ${downMs / 1_000} s` : about),
    text('peak', end, y, `at most ${Math.max(...counts)} in 100 ms`),
    ...(later > 0 ? [text('unit end', end, y + 17, `${later} more later`)] : []),
    ...(isKilled
      ? [
          `<rect class="down" x="${LEFT}" y="${y + 30}" width="${round(downWidth)}" height="${HEIGHT}"/>`,
          text('unit middle', LEFT + downWidth / 2, y + 94, 'down'),
        ]
      : []),
    ...levels.flatMap((level) => {
      const at = round(floor - (HEIGHT * level) / top);
      return [
        `<path class="grid" d="M${LEFT} ${at}h${WIDTH}"/>`,
        text('level', LEFT - 8, at + 4, String(level)),
      ];
    }),
    ...counts.flatMap((each, index) =>
      each === 0 ? [] : [bar(index, (HEIGHT * each) / top, floor)],
    ),
    ...Array.from({ length: SHOWN_MS / 1_000 + 1 }, (_, second) =>
      text('tick', LEFT + (WIDTH * second * 1_000) / SHOWN_MS, floor + 17, `${second} s`),
    ),
    '</g>',
  ].join('');
}

function bar(index: number, height: number, floor: number): string {
  const x = round(LEFT + 1 + (WIDTH * index * BIN_MS) / SHOWN_MS);
  return `<rect class="bar" x="${x}" y="${round(floor - height)}" width="11" height="${round(height)}"/>`;
}

function text(classes: string, x: number, y: number, words: string): string {
  return `<text class="${classes}" x="${round(x)}" y="${round(y)}">${words}</text>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
