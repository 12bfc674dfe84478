/** How a schema library writes the contracts of {@link contractConsumer}, and their types. */
interface Library {
  readonly from: string;
  readonly messages: string;
  readonly sends: string;
  readonly input: (schema: string) => string;
  readonly output: (schema: string) => string;
}

/** zod, of either version. */
const zod = (name: string, from: string): Library => ({
  from: `import { z as ${name} } from '${from}';`,
  messages: `${name}.object({ price: ${name}.string().transform(Number) })`,
  sends: `${name}.object({
  id: ${name}.number(),
  at: ${name}.date().transform((date) => date.toISOString()),
  role: ${name}.string().default('user'),
})`,
  input: (schema) => `${name}.input<typeof ${schema}>`,
  output: (schema) => `${name}.output<typeof ${schema}>`,
});

const libraries: Readonly<Record<string, Library>> = {
  zod4: zod('zod4', 'zod'),
  zod3: zod('zod3', 'zod3'),
  valibot: {
    from: "import * as v from 'valibot';",
    messages: 'v.object({ price: v.pipe(v.string(), v.transform(Number)) })',
    sends: `v.object({
  id: v.number(),
  at: v.pipe(v.date(), v.transform((date) => date.toISOString())),
  role: v.optional(v.string(), 'user'),
})`,
    input: (schema) => `v.InferInput<typeof ${schema}>`,
    output: (schema) => `v.InferOutput<typeof ${schema}>`,
  },
  arktype: {
    from: "import { type } from 'arktype';",
    messages: "type({ price: type('string').pipe((text) => Number(text)) })",
    sends: `type({
  id: 'number',
  at: type('Date').pipe((date) => date.toISOString()),
  role: "string = 'user'",
  '+': 'delete',
})`,
    input: (schema) => `typeof ${schema}.inferIn`,
    output: (schema) => `typeof ${schema}.inferOut`,
  },
};

const handlersOf = (name: string) => `
  onOpen(connection) {
    connection.send({ id: 1, at: new Date() });
    // @ts-expect-error a message has a Date before the schema has made text of it
    connection.send({ id: 1, at: 'now' });
  },
  onMessage(connection, message) {
    const exact: [
      Exactly<typeof message, ${name}In>,
      Exactly<typeof message.price, number>,
      Exactly<typeof connection.peer, User>,
    ] = [true, true, true];
    // @ts-expect-error no such field
    message.nope;
    void connection.sendAndFlush({ id: exact.length, at: new Date(), role: 'admin' });
  },
  onClose(connection) {
    // @ts-expect-error a message of another contract
    connection.send({ nope: 1 });
  },
  key: (peer) => peer.userId,`;

const contractsOf = (name: string) => `messages: ${name}Messages, sends: ${name}Sends,`;
const authenticate = 'authenticate: async (request) => ({ userId: String(request.url) }),';

/** What a supervisor with these contracts lets an application publish, and delivers of it. */
const usesOf = (name: string, supervisor: string) => `
export const ${supervisor}Rows: Topic<${name}Given, ${name}Sent, ConnectionOf<typeof ${supervisor}>> = ${supervisor}.topic('rows', {
  overflow: 'latest',
  keyOf(row) {
    const exact: [Exactly<typeof row, ${name}Sent>, Exactly<typeof row.at, string>] = [true, true];
    return exact ? row.role : row.at;
  },
});
${supervisor}.topic('rows').messages$.subscribe((row) => {
  const exact: Exactly<typeof row, ${name}Sent> = true;
  return exact;
});
${supervisor}.topic('rows').publish({ id: 1, at: new Date() });
${supervisor}.broadcast(secret);
of(secret).subscribe(${supervisor}.topic('rows'));
// @ts-expect-error a message has a Date before the schema has made text of it
${supervisor}.topic('rows').publish({ id: 1, at: 'now', role: 'user' });
// @ts-expect-error the same
${supervisor}.broadcast({ id: 1, at: 'now', role: 'user' });
// @ts-expect-error the same
of({ id: 1, at: 'now', role: 'user' }).subscribe(${supervisor}.topic('rows'));
export const ${supervisor}Peer: Exactly<PeerOf<typeof ${supervisor}>, User> = true;
export const ${supervisor}Bare: Supervisor = ${supervisor};`;

const clientsOf = (name: string) => `
for (const peer of [
  createClient('wss://example.com/', { ${contractsOf(name)} }),
  createPool(['wss://example.com/'], { sends: ${name}Sends, messages: ${name}Messages }),
]) {
  peer.messages$.subscribe((message) => {
    const exact: Exactly<typeof message, ${name}In> = true;
    return exact;
  });
  const connection = 'checkout' in peer ? peer.checkout() : peer.connection;
  connection?.send(secret);
  // @ts-expect-error a message has a Date before the schema has made text of it
  connection?.send({ id: 1, at: 'now' });
}
createClient('wss://example.com/', { ${contractsOf(name)} }).send(secret);
// @ts-expect-error a message of another contract
createClient('wss://example.com/', { ${contractsOf(name)} }).send({ nope: 1 });`;

/**
 * Supervisors, clients and pools with contracts of each library, before and behind the handlers. It compiles
 * only if handlers get the output of \`messages\`, and senders the input of \`sends\`.
 */
export const contractConsumer = `
import { type Connection, createSupervisor, type StandardSchemaV1, type Supervisor, type Topic } from 'mooring';
import { createClient, createPool } from 'mooring/client';
import { of } from 'rxjs';
${Object.values(libraries)
  .map(({ from }) => from)
  .join('\n')}

type Exactly<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : never;
type User = { userId: string };
type PeerOf<S> = S extends Supervisor<infer Peer, infer _In, infer _Out, infer _Sent> ? Peer : never;
type ConnectionOf<S> = S extends { connections: Iterable<infer C> } ? C : never;
const secret = { id: 1, at: new Date(), passwordHash: 's3cret' };
${Object.entries(libraries)
  .map(
    ([name, { messages, sends, input, output }]) => `
const ${name}Messages = ${messages};
const ${name}Sends = ${sends};
type ${name}In = ${output(`${name}Messages`)};
type ${name}Given = ${input(`${name}Sends`)};
type ${name}Sent = ${output(`${name}Sends`)};
export const ${name}First = createSupervisor({ ${contractsOf(name)} ${authenticate} ${handlersOf(name)} });
export const ${name}Last = createSupervisor({ ${handlersOf(name)} ${authenticate} ${contractsOf(name)} });
export const ${name}Open = createSupervisor({ ${handlersOf(name)
      .replace(/Exactly<typeof connection.peer, User>/, 'true')
      .replace(/key:.*/, '')} ${contractsOf(name)} });
export const ${name}Schema: StandardSchemaV1<${name}Given, ${name}Sent> = ${name}Sends;
${usesOf(name, `${name}First`)}
${usesOf(name, `${name}Last`)}
${clientsOf(name)}
`,
  )
  .join('')}
declare const anyConnection: Connection;
anyConnection.send(secret);
`;
