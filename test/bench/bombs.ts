// Measures how long one message that breaks a contract blocks the event loop: from the payload to the fault,
// with the default limits of an accepted connection and of a dialed one. The reference contains the factors.
import { jsonCodec } from '../../src/core/codec.ts';
import { Contract } from '../../src/core/contract.ts';
import * as defaults from '../../src/core/defaults.ts';
import { type Bomb, bombLibraries, bombs } from '../support/bombs.ts';

const ROUNDS = 7;
const DIALED_VALUES_MAX = 200_000;
const MEBIBYTE = 1_048_576;
/** The message that all others are compared with: the reference promises that it takes less than 50 ms. */
const UNIT = 'a list of unions of three';

const { depthMax } = defaults.limits;

/** How long it takes, in milliseconds: the median of several rounds after the first, which is listed separately. */
interface Held {
  readonly first: number;
  readonly median: number;
}

function held(run: () => void): Held {
  const times = Array.from({ length: ROUNDS + 1 }, () => {
    const begun = performance.now();
    run();
    return performance.now() - begun;
  });
  const [first = 0, ...later] = times;
  return { first, median: later.toSorted((a, b) => a - b)[Math.floor(later.length / 2)] ?? first };
}

function bombHeld(bomb: Bomb, library: string, valuesMax: number): Held {
  const schema = bombLibraries[library]?.(bomb);
  const contract = new Contract(jsonCodec(depthMax, valuesMax), schema);
  const payload = Buffer.from(bomb.json(valuesMax));
  if ('fault' in contract.read(Buffer.from(bomb.valid), false)) throw new Error(bomb.title);
  return held(() => {
    const intake = contract.read(payload, false);
    if (!('fault' in intake)) throw new Error(`${bomb.title} breaks nothing in ${library}`);
  });
}

const figure = (ms: number) => (ms < 10 ? ms.toFixed(1) : ms.toFixed(0));

function printBombs(valuesMax: number): void {
  const libraries = Object.keys(bombLibraries);
  const rows = bombs.map((bomb) => ({
    title: bomb.title,
    cells: libraries.map((library) => attempt(() => bombHeld(bomb, library, valuesMax))),
  }));
  const unit = rows.find(({ title }) => title === UNIT)?.cells[0];
  console.log(
    `\n${valuesMax.toLocaleString('en')} values: ms (the first), times ${UNIT} in zod 4\n`,
  );
  console.log(['message'.padEnd(40), ...libraries.map((name) => name.padStart(24))].join(''));
  for (const { title, cells } of rows) {
    const shown = cells.map((cell) => cellText(cell, unit).padStart(24));
    console.log([title.padEnd(40), ...shown].join(''));
  }
}

/** A schema library may run out of stack or heap for a message that a client may receive. */
function attempt(measure: () => Held): Held | Error {
  try {
    return measure();
  } catch (thrown) {
    return thrown as Error;
  }
}

function cellText(cell: Held | Error, unit: Held | Error | undefined): string {
  if (cell instanceof Error) return cell.name;
  const factor =
    unit === undefined || unit instanceof Error ? '' : `×${figure(cell.median / unit.median)}`;
  return `${figure(cell.median)} (${figure(cell.first)}) ${factor.padStart(6)}`;
}

/** What the codec costs without a contract, and what it refuses. */
function printCodec(): void {
  const { valuesMax } = defaults.limits;
  const open = new Contract<unknown, unknown>(jsonCodec());
  const texts: Record<string, string> = {
    'as many values as there may be': `[${new Array(valuesMax - 1).fill('1').join(',')}]`,
    '1 MiB, as many values as there may be': listOfTexts(valuesMax - 1, MEBIBYTE),
    '1 MiB in one text': JSON.stringify('x'.repeat(MEBIBYTE - 2)),
    '1 MiB of values, refused': `[${'1,'.repeat(MEBIBYTE / 2 - 2)}1]`,
    '1 MiB of brackets, refused': '['.repeat(MEBIBYTE),
  };
  console.log('\nthe JSON codec alone: ms (the first)\n');
  for (const [title, text] of Object.entries(texts)) {
    const payload = Buffer.from(text);
    const { first, median } = held(() => void open.read(payload, false));
    console.log(`${title.padEnd(40)}${`${median.toFixed(2)} (${first.toFixed(2)})`.padStart(24)}`);
  }
}

/** A list of texts with this many bytes, or a few fewer. */
function listOfTexts(count: number, bytes: number): string {
  return JSON.stringify(new Array(count).fill('x'.repeat(Math.floor(bytes / count) - 3)));
}

printCodec();
printBombs(defaults.limits.valuesMax);
if (process.argv.includes('--dialed')) printBombs(DIALED_VALUES_MAX);
