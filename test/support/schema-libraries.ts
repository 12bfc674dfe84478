import { type } from 'arktype';
import * as v from 'valibot';
import { z } from 'zod';
import { z as z3 } from 'zod3';
import type { StandardSchemaV1 } from '../../src/index.ts';

/** A row as a database returns it. */
export interface Row {
  readonly id: number;
  readonly name: string;
  readonly role?: string;
  readonly passwordHash: string;
}

/** The same contracts, written with each library that the tests use. */
export interface SchemaLibrary {
  /** Accepts `{ id, name, role? }`, trims the name, adds a role, and removes everything else. */
  readonly row: StandardSchemaV1<{ id: number; name: string; role?: string | undefined }, object>;
  /** Accepts `{ items: { price: number }[] }`. */
  readonly order: StandardSchemaV1<{ items: { price: number }[] }>;
  /** Accepts text, and calls `check` with it, which may throw. */
  readonly checked: (check: (text: string) => boolean) => StandardSchemaV1<string>;
  /** Accepts text, and awaits `check`. */
  readonly asynchronous: (check: () => Promise<boolean>) => StandardSchemaV1<string, unknown>;
  /** Whether a schema declares that it is async before it is called. */
  readonly saysAsync: boolean;
}

const zod4: SchemaLibrary = {
  row: z.object({ id: z.number(), name: z.string().trim(), role: z.string().default('user') }),
  order: z.object({ items: z.array(z.object({ price: z.number() })) }),
  checked: (check) => z.string().refine(check),
  asynchronous: (check) => z.string().refine(check),
  saysAsync: false,
};

const zod3: SchemaLibrary = {
  row: z3.object({ id: z3.number(), name: z3.string().trim(), role: z3.string().default('user') }),
  order: z3.object({ items: z3.array(z3.object({ price: z3.number() })) }),
  checked: (check) => z3.string().refine(check),
  asynchronous: (check) => z3.string().refine(check),
  saysAsync: false,
};

const valibot: SchemaLibrary = {
  row: v.object({
    id: v.number(),
    name: v.pipe(v.string(), v.trim()),
    role: v.optional(v.string(), 'user'),
  }),
  order: v.object({ items: v.array(v.object({ price: v.number() })) }),
  checked: (check) => v.pipe(v.string(), v.check(check)),
  asynchronous: (check) => v.pipeAsync(v.string(), v.checkAsync(check)),
  saysAsync: true,
};

const arktype: SchemaLibrary = {
  row: type({ id: 'number', name: 'string.trim', role: "string = 'user'", '+': 'delete' }),
  order: type({ items: type({ price: 'number' }).array() }),
  checked: (check) => type('string').narrow(check),
  asynchronous: (check) => type('string').pipe(check),
  saysAsync: false,
};

/** By the name that a test shows. */
export const schemaLibraries: Readonly<Record<string, SchemaLibrary>> = {
  'zod 4': zod4,
  'zod 3': zod3,
  valibot,
  ArkType: arktype,
};

/** A row that must not leave the process unchanged. */
export const row: Row = { id: 1, name: ' ada ', passwordHash: 's3cret' };

/** The part of it that may leave. */
export const sentRow = { id: 1, name: 'ada', role: 'user' };
