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

/** The same contracts, written with each library that Mooring is tested with. */
export interface SchemaLibrary {
  /** Takes `{ id, name, role? }`, trims the name, adds a role, and leaves out everything else. */
  readonly row: StandardSchemaV1<{ id: number; name: string; role?: string | undefined }, object>;
  /** Takes `{ items: { price: number }[] }`. */
  readonly order: StandardSchemaV1<{ items: { price: number }[] }>;
  /** Takes text, and calls `check` with it, which may throw. */
  readonly checked: (check: (text: string) => boolean) => StandardSchemaV1<string>;
  /** Takes text, and waits for `check`. */
  readonly asynchronous: (check: () => Promise<boolean>) => StandardSchemaV1<string, unknown>;
  /** Whether a schema says that it is async before it is asked. */
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

/** By name, as a test shows it. */
export const schemaLibraries: Readonly<Record<string, SchemaLibrary>> = {
  'zod 4': zod4,
  'zod 3': zod3,
  valibot,
  ArkType: arktype,
};

/** A row that must not leave the process as it is. */
export const row: Row = { id: 1, name: ' ada ', passwordHash: 's3cret' };

/** What leaves of it. */
export const sentRow = { id: 1, name: 'ada', role: 'user' };
