import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { resolveNodeOptions } from '../../src/client/node-options.ts';
import { resolvePageOptions } from '../../src/client/page-options.ts';
import { resolvePoolOptions } from '../../src/client/pool/pool-options.ts';
import { systemClock } from '../../src/core/clock.ts';
import { resolveOptions } from '../../src/server/options.ts';
import { type Row, read, tableRows } from './repository.ts';

// Goal: docs/reference/options.schema.json allows what the code allows. Method: pass every option of the schema to the
// code with values at its bounds, beyond them, and of other types. A schema cannot express rules about two options at
// once, so only errors that name one option with `must be` count.

interface Schema {
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly default?: unknown;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: unknown;
}

const schema: { readonly $defs: Readonly<Record<string, Schema>> } = JSON.parse(
  read('docs/reference/options.schema.json'),
);

/** The functions that check the options of each definition, and return them with their defaults. */
const resolvers: Readonly<Record<string, (options: object) => object>> = {
  supervisor: (options) => resolveOptions(options),
  client: (given) => {
    const { options, ...rest } = resolveNodeOptions(given, systemClock);
    return { ...rest, ...options };
  },
  pageClient: (options) => resolvePageOptions(options),
  pool: (given) => {
    const { member, ...rest } = resolvePoolOptions(given, systemClock);
    return { ...member, ...rest };
  },
};

/** Options that the code has a value for, and that a user cannot set. */
const lacking: Readonly<Record<string, RegExp>> = {
  pageClient: /^timeouts\.messageMs$|^limits\.(fragmentsMax|bufferedChunksMax|topicsMax)$/,
  pool: /^queue|^restarts\./,
};

interface Leaf {
  readonly path: readonly string[];
  readonly schema: Schema;
}

function leavesOf({ properties = {} }: Schema, above: readonly string[] = []): Leaf[] {
  return Object.entries(properties).flatMap(([name, schema]) => {
    const path = [...above, name];
    return schema.properties === undefined ? [{ path, schema }] : leavesOf(schema, path);
  });
}

/** Options in which one has this value. */
function optionsWith(path: readonly string[], value: unknown): object {
  return path.reduceRight((inner, name) => ({ [name]: inner }), value as object);
}

const valueAt = (options: object, path: readonly string[]) =>
  path.reduce<unknown>((value, name) => Object(value)[name], options);

/** Whether the code accepts a value for an option, apart from other options. */
function isTaken(name: string, path: readonly string[], value: unknown): boolean {
  try {
    resolvers[name]?.(optionsWith(path, value));
    return true;
  } catch (error) {
    const { message } = error as Error;
    const place = `options.${path.join('.')}`;
    return !['must be ', 'unknown option'].some((fault) => message.includes(`${place}: ${fault}`));
  }
}

/** Values that a schema allows, and some that it does not. */
function examplesOf(schema: Schema): { allowed: unknown[]; others: unknown[] } {
  if (schema.enum !== undefined) return { allowed: [...schema.enum], others: ['other', 1, null] };
  const { minimum = 0, maximum = 0 } = schema;
  switch (schema.type) {
    case 'integer':
      return { allowed: [minimum, maximum], others: [minimum - 1, maximum + 1, 1.5, '1', null] };
    case 'boolean':
      return { allowed: [true, false], others: ['true', 1, null] };
    case 'array':
      return { allowed: [['chat']], others: ['chat', 1, null] };
    case 'object':
      return { allowed: [{}], others: ['chat', 1, null] };
    case undefined:
      return { allowed: [], others: [] };
    default: {
      // Text, and text that is an IP address.
      return { allowed: ['127.0.0.1'], others: [1, true, null] };
    }
  }
}

describe('docs/reference/options.schema.json', () => {
  it('has a definition for each function that takes options', () => {
    assert.deepEqual(Object.keys(schema.$defs), Object.keys(resolvers));
  });

  for (const [name, definition] of Object.entries(schema.$defs)) {
    const leaves = leavesOf(definition);
    const usual = resolvers[name]?.({}) ?? {};

    it(`allows the values that the code accepts, and no others: ${name}`, () => {
      const wrong = leaves.flatMap(({ path, schema }) => {
        const { allowed, others } = examplesOf(schema);
        const refused = allowed.filter((value) => !isTaken(name, path, value));
        const taken =
          schema.anyOf === undefined ? others.filter((value) => isTaken(name, path, value)) : [];
        return [...refused, ...taken].map((value) => [path.join('.'), value]);
      });
      assert.deepEqual(wrong, []);
    });

    it(`has the defaults of the code: ${name}`, () => {
      const wrong = leaves.filter(({ path, schema }) => {
        const actual = valueAt(usual, path);
        // Node.js has the defaults of `connect`.
        return schema.default !== undefined && path[0] !== 'connect' && schema.default !== actual;
      });
      assert.deepEqual(wrong, []);
    });

    it(`contains every number of the code: ${name}`, () => {
      const listed = new Set(leaves.map(({ path }) => path.join('.')));
      const numbers = Object.entries(usual).flatMap(([group, value]) =>
        typeof value === 'number' ? [group] : numbersIn(value).map((inner) => `${group}.${inner}`),
      );
      const absent = lacking[name] ?? /^$/;
      assert.deepEqual(
        numbers.filter((path) => !listed.has(path) && !absent.test(path)),
        [],
      );
    });

    it(`describes each option, and allows no unknown one: ${name}`, () => {
      const silent = leaves.filter(({ schema }) => !schema.description);
      assert.deepEqual(silent, []);
      const groups = [definition, ...Object.values(definition.properties ?? {})];
      const open = groups.filter(
        (group) => group.properties && group.additionalProperties !== false,
      );
      assert.deepEqual(open, []);
    });
  }

  it('matches docs/reference/options.md', () => {
    const page = read('docs/reference/options.md');
    const { properties = {} } = schema.$defs['supervisor'] ?? {};
    const headings = ['createSupervisor', 'admission', 'timeouts', 'heartbeat', 'limits'];
    const wrong = headings.flatMap((heading) => {
      const options = heading === 'createSupervisor' ? properties : properties[heading]?.properties;
      const rows = tableRows(page, heading).filter(({ Default = '' }) => /^['\d]/.test(Default));
      return rows
        .filter((row) => !agrees(row, options?.[row['Option'] ?? '']))
        .map(({ Option }) => [heading, Option]);
    });
    assert.deepEqual(wrong, []);
  });
});

/** Two defaults follow from the longest message. The page also gives their values for its default. */
function agrees({ Default = '', Meaning = '' }: Row, schema?: Schema): boolean {
  if (schema === undefined) return false;
  if (schema.default === undefined) return Meaning.includes('payloadBytesMax');
  return String(schema.default) === Default.replaceAll(/['_]/g, '');
}

function numbersIn(group: unknown): string[] {
  return Object.entries(Object(group)).flatMap(([name, value]) =>
    typeof value === 'number' ? [name] : [],
  );
}
