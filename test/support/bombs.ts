import * as v from 'valibot';
import { z } from 'zod';
import { z as z3 } from 'zod3';
import type { StandardSchemaV1 } from '../../src/index.ts';

/** The functions of a schema library that the bombs need. */
interface Words<Schema> {
  readonly text: () => Schema;
  readonly list: (of: Schema) => Schema;
  readonly record: (of: Schema) => Schema;
  readonly object: (fields: Record<string, Schema>) => Schema;
  readonly strict: (fields: Record<string, Schema>) => Schema;
  readonly union: (options: readonly Schema[]) => Schema;
  /** Objects that differ in the literal of their `type`. */
  readonly variants: (types: readonly string[]) => Schema;
  readonly oneOf: (words: [string, ...string[]]) => Schema;
  /** A schema that contains itself. */
  readonly recursive: (make: (self: Schema) => Schema) => Schema;
}

const zod4: Words<z.ZodType> = {
  text: () => z.string(),
  list: (of) => z.array(of),
  record: (of) => z.record(z.string(), of),
  object: (fields) => z.object(fields),
  strict: (fields) => z.strictObject(fields),
  union: (options) => z.union(options),
  variants: (types) =>
    z.discriminatedUnion(
      'type',
      types.map((type) => z.object({ type: z.literal(type) })) as [
        z.ZodObject<{ type: z.ZodLiteral<string> }>,
      ],
    ),
  oneOf: (words) => z.enum(words),
  recursive: (make) => {
    const self: z.ZodType = z.lazy(() => made);
    const made = make(self);
    return made;
  },
};

const zod3: Words<z3.ZodTypeAny> = {
  text: () => z3.string(),
  list: (of) => z3.array(of),
  record: (of) => z3.record(of),
  object: (fields) => z3.object(fields),
  strict: (fields) => z3.strictObject(fields),
  union: (options) => z3.union(options as [z3.ZodTypeAny, z3.ZodTypeAny]),
  variants: (types) =>
    z3.discriminatedUnion(
      'type',
      types.map((type) => z3.object({ type: z3.literal(type) })) as never,
    ),
  oneOf: (words) => z3.enum(words),
  recursive: (make) => {
    const self: z3.ZodTypeAny = z3.lazy(() => made);
    const made = make(self);
    return made;
  },
};

const valibot: Words<v.GenericSchema> = {
  text: () => v.string(),
  list: (of) => v.array(of),
  record: (of) => v.record(v.string(), of),
  object: (fields) => v.object(fields),
  strict: (fields) => v.strictObject(fields),
  union: (options) => v.union(options),
  variants: (types) =>
    v.variant(
      'type',
      types.map((type) => v.object({ type: v.literal(type) })),
    ),
  oneOf: (words) => v.picklist(words),
  recursive: (make) => {
    const self: v.GenericSchema = v.lazy(() => made);
    const made = make(self);
    return made;
  },
};

/** A message that breaks a contract in as many places as possible. */
export interface Bomb {
  readonly title: string;
  /** The message, with this many values or a few fewer. */
  readonly json: (values: number) => string;
  readonly contract: <Schema>(words: Words<Schema>) => Schema;
  /** A message that matches the contract. */
  readonly valid: string;
}

const times = <Part>(count: number, part: (index: number) => Part) =>
  Array.from({ length: count }, (_, index) => part(index));

/** A list of the same part, which contains this many values. */
const listOf = (part: string, partValues: number) => (values: number) =>
  `[${times(Math.floor((values - 1) / partValues), () => part).join(',')}]`;

const numbers = listOf('1', 1);
const keys = (values: number) => `{${times(values - 1, (index) => `"k${index}":1`).join(',')}}`;

const LEVELS = 60;
/** Deep enough to show that each level multiplies the cost, and no deeper. */
const TREE_LEVELS = 10;

export const bombs: readonly Bomb[] = [
  {
    title: 'a list of primitives',
    json: numbers,
    contract: ({ list, text }) => list(text()),
    valid: '[]',
  },
  {
    title: 'a union of three lists',
    json: numbers,
    contract: ({ list, text, union }) => union(times(3, () => list(text()))),
    valid: '[]',
  },
  {
    title: 'a list of unions of three',
    json: numbers,
    contract: ({ list, text, union }) => list(union(times(3, text))),
    valid: '[]',
  },
  {
    title: 'a union of ten lists',
    json: numbers,
    contract: ({ list, text, union }) => union(times(10, () => list(text()))),
    valid: '[]',
  },
  {
    title: 'a list of unions of ten',
    json: numbers,
    contract: ({ list, text, union }) => list(union(times(10, text))),
    valid: '[]',
  },
  {
    title: 'a list of objects that lack three keys',
    json: listOf('{}', 1),
    contract: ({ list, object, text }) => list(object({ a: text(), b: text(), c: text() })),
    valid: '[]',
  },
  {
    title: 'a list of objects that lack ten keys',
    json: listOf('{}', 1),
    contract: ({ list, object, text }) =>
      list(object(Object.fromEntries(times(10, (index) => [`key${index}`, text()])))),
    valid: '[]',
  },
  { title: 'a record', json: keys, contract: ({ record, text }) => record(text()), valid: '{}' },
  { title: 'a strict object', json: keys, contract: ({ strict }) => strict({}), valid: '{}' },
  {
    title: 'a list of strict objects',
    json: listOf('{"unknown":1}', 2),
    contract: ({ list, strict }) => list(strict({})),
    valid: '[]',
  },
  {
    title: 'a list of discriminated unions',
    json: listOf('{"type":1}', 2),
    contract: ({ list, variants }) => list(variants(['a', 'b', 'c'])),
    valid: '[]',
  },
  {
    title: 'a list of one of 100 words',
    json: numbers,
    contract: ({ list, oneOf }) => list(oneOf(['word', ...times(99, (index) => `word${index}`)])),
    valid: '[]',
  },
  {
    title: `lists nested ${LEVELS} deep`,
    json: (values) => `${'['.repeat(LEVELS)}${numbers(values - LEVELS)}${']'.repeat(LEVELS)}`,
    contract: ({ list, text }) =>
      times(LEVELS + 1, () => list).reduce((inner, wrap) => wrap(inner), text()),
    valid: '[]',
  },
  {
    title: `a tree of unions of two, ${TREE_LEVELS} deep`,
    json: () => `${'{"a":"","in":['.repeat(TREE_LEVELS)}{}${']}'.repeat(TREE_LEVELS)}`,
    contract: ({ list, object, recursive, text, union }) =>
      recursive((self) =>
        union(['a', 'b'].map((name) => object({ [name]: text(), in: list(self) }))),
      ),
    valid: '{"a":"","in":[]}',
  },
];

/** How each library builds a bomb. */
export const bombLibraries: Readonly<Record<string, (bomb: Bomb) => StandardSchemaV1>> = {
  'zod 4': ({ contract }) => contract(zod4),
  valibot: ({ contract }) => contract(valibot),
  'zod 3': ({ contract }) => contract(zod3),
};

/** The path of the test service that has the contract of a bomb. */
export function bombPath(library: string, bomb: Bomb): string {
  return `/${library.replace(' ', '')}/${bombs.indexOf(bomb)}`;
}
