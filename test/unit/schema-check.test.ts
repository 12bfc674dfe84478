// Goal: a contract may be any Standard Schema. One that is async, throws or returns nonsense is reported once, and
// never ends the process. Method: the same contracts in four libraries, and schemas written by hand.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { z } from 'zod';
import { jsonCodec } from '../../src/core/codec.ts';
import { Contract } from '../../src/core/contract.ts';
import {
  SchemaCheck,
  type StandardResult,
  type StandardSchemaV1,
} from '../../src/core/standard-schema.ts';
import { ProcessWatch } from '../support/process-watch.ts';
import { row, type SchemaLibrary, schemaLibraries, sentRow } from '../support/schema-libraries.ts';
import { turns } from '../support/until.ts';

let watch: ProcessWatch;

beforeEach(() => {
  watch = new ProcessWatch();
});

afterEach(async () => {
  // Node.js reports an unhandled rejection once the microtasks have run.
  await turns(3);
  await watch.assertQuiet();
  watch.stop();
});

const isAsync = {
  code: 'invalid-options',
  message:
    'options.sends: the schema must be synchronous, but this one is async; do async work before you send',
};

/** A schema that belongs to no library. */
function schemaThat<Output>(
  validate: StandardSchemaV1<unknown, Output>['~standard']['validate'],
): StandardSchemaV1<unknown, Output> {
  return { '~standard': { version: 1, vendor: 'by hand', validate } };
}

function outputOf(result: StandardResult<unknown>): unknown {
  assert.equal(result.issues, undefined);
  return 'value' in result && result.value;
}

const rejected = async () => {
  throw new Error('the database is gone');
};

/** Rejects long after the schema library has lost track of the promise. */
const rejectedLater = async () => {
  await turns(1);
  return rejected();
};

for (const [name, library] of Object.entries(schemaLibraries)) {
  describe(`a contract of ${name}`, () => {
    itChecks(library);
    itRefusesAsync(library);
  });
}

function itChecks({ row: schema, order, checked }: SchemaLibrary): void {
  const orders = new Contract(jsonCodec(), order, order);

  it('sends what the schema makes of a row, and nothing else', () => {
    const rows = new Contract(jsonCodec(), undefined, schema);
    assert.deepEqual(JSON.parse(String(rows.payload(row))), sentRow);
    assert.equal(row.passwordHash, 's3cret');
  });

  it('delivers what the schema makes of a message', () => {
    const rows = new Contract(jsonCodec(), schema);
    const intake = rows.read(Buffer.from(JSON.stringify(row)), false);
    assert.deepEqual(intake, { message: sentRow });
  });

  it('names the path of a fault in both directions', () => {
    const wrong = { items: [{ price: 1 }, { price: 'free' }] };
    const intake = orders.read(Buffer.from(JSON.stringify(wrong)), false);
    assert.ok('fault' in intake);
    assert.equal(intake.fault.path, 'items[1].price');
    assert.equal(intake.fault.closeCode, 1008);
    assert.ok(intake.fault.problem.length > 0);
    assert.throws(() => orders.payload(wrong as never), {
      code: 'invalid-message',
      message: /^message\.items\[1\]\.price: /,
    });
  });

  it('lists every fault as the cause of the error, without the message itself', () => {
    const wrong = { items: [{ price: 'free' }, { price: null }], passwordHash: 's3cret' };
    assert.throws(
      () => orders.payload(wrong as never),
      ({ cause }: { cause?: unknown }) => {
        const faults = cause as readonly { path: string; message: string }[];
        assert.ok(faults.some(({ path }) => path === 'items[0].price'));
        assert.ok(faults.every((fault) => Object.keys(fault).join() === 'path,message'));
        assert.ok(!JSON.stringify(faults).includes('s3cret'));
        return true;
      },
    );
  });

  it('throws what a check throws, for the first message and for a later one', () => {
    const error = new Error('the check itself, encountered no file');
    let isBroken = true;
    const check = new SchemaCheck(
      checked(() => {
        if (isBroken) throw error;
        return true;
      }),
      'sends',
    );
    assert.throws(() => check.run('text'), error);
    isBroken = false;
    assert.equal(outputOf(check.run('text')), 'text');
    isBroken = true;
    assert.throws(() => check.run('text'), error);
    isBroken = false;
    assert.equal(outputOf(check.run('text')), 'text');
  });
}

function itRefusesAsync({ asynchronous }: SchemaLibrary): void {
  const checks = { 'that resolves': async () => true, 'that rejects': rejected, rejectedLater };

  for (const [title, wait] of Object.entries(checks)) {
    it(`refuses an async check ${title}, each time, and handles its rejection`, async () => {
      const check = new SchemaCheck(asynchronous(wait), 'sends');
      for (let time = 0; time < 3; time += 1) {
        assert.throws(() => check.run('text'), isAsync);
        await turns(3);
      }
    });
  }
}

describe('SchemaCheck', () => {
  it('handles the promises of a hand-written schema, now or later, and any thenable', () => {
    const results = [
      rejected(),
      rejectedLater(),
      Promise.resolve({ value: 1 }),
      // biome-ignore lint/suspicious/noThenProperty: a thenable is what is meant.
      { then: (_: unknown, fail: (error: Error) => void) => fail(new Error('no')) },
    ];
    for (const result of results) {
      const check = new SchemaCheck(
        schemaThat(() => result as Promise<never>),
        'sends',
      );
      assert.throws(() => check.run(1), isAsync);
    }
  });

  it('names the option that has the schema, and what to do instead', () => {
    const check = new SchemaCheck(schemaThat(rejected as () => Promise<never>), 'messages');
    assert.throws(() => check.run(1), {
      code: 'invalid-options',
      message: /^options\.messages: .* do async work in onMessage$/,
    });
  });

  it('accepts what a union checks synchronously when another part of it is async', async () => {
    const either = z.union([z.number(), z.string().refine(rejected)]);
    const check = new SchemaCheck(either, 'sends');
    assert.throws(() => check.run('text'), isAsync);
    assert.deepEqual(check.run(7), { value: 7 });
    assert.throws(() => check.run('text'), isAsync);
    await turns(3);
    assert.deepEqual(check.run(8), { value: 8 });
  });

  it('handles the rejection of a part that the first values do not reach', async () => {
    const schema = z.object({ id: z.number(), name: z.string().refine(rejected).optional() });
    const check = new SchemaCheck(schema, 'messages');
    for (let id = 0; id < 50; id += 1) assert.deepEqual(check.run({ id }), { value: { id } });
    assert.throws(() => check.run({ id: 1, name: 'text' }), { code: 'invalid-options' });
    await turns(3);
  });

  it('stops looking for promises once a schema has proved to be synchronous', () => {
    let isWatched: boolean | undefined;
    const schema = schemaThat((value) => {
      isWatched = Object.hasOwn(Promise, Symbol.hasInstance);
      return { value };
    });
    const check = new SchemaCheck(schema, 'sends');
    check.run(1);
    assert.equal(isWatched, true);
    for (let time = 0; time < 100; time += 1) check.run(1);
    assert.equal(isWatched, false);
  });

  it('restores Promise, also when checks are nested', () => {
    const inner = new SchemaCheck(
      z.string().refine(() => true),
      'sends',
    );
    const seen: boolean[] = [];
    const outer = new SchemaCheck(
      z.string().refine((text) => {
        inner.run(text);
        seen.push(Promise.resolve() instanceof Promise, {} instanceof Promise);
        return true;
      }),
      'sends',
    );
    outer.run('text');
    assert.deepEqual(seen, [true, false]);
    assert.equal(Object.hasOwn(Promise, Symbol.hasInstance), false);
    assert.throws(() => new SchemaCheck(z.string().refine(rejected), 'sends').run('x'), isAsync);
    assert.equal(Object.hasOwn(Promise, Symbol.hasInstance), false);
  });

  it('still handles the promises of a check that has called another schema meanwhile', () => {
    const inner = new SchemaCheck(z.string(), 'sends');
    const schema = z.string().refine((text) => {
      inner.run(text);
      return rejected();
    });
    assert.throws(() => new SchemaCheck(schema, 'sends').run('text'), isAsync);
  });

  it('accepts plain path steps, steps that are objects, and a fault without a path', () => {
    const faults: readonly [StandardResult<never>['issues'], string][] = [
      [[{ message: 'no', path: ['items', 2, { key: 'price' }] }], 'items[2].price'],
      [[{ message: 'no', path: [{ key: 0 }, { key: Symbol('secret') }] }], '[0].Symbol(secret)'],
      [[{ message: 'no' }], ''],
      [[], ''],
    ];
    for (const [issues, path] of faults) {
      const contract = new Contract(
        jsonCodec(),
        schemaThat(() => ({ issues }) as StandardResult<never>),
      );
      const intake = contract.read(Buffer.from('1'), false);
      assert.deepEqual('fault' in intake && intake.fault.path, path);
    }
  });
});
