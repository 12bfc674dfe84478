/** Contracts of requests on both sides. It compiles only if each side gets what the schemas of the other say. */
export const requestConsumer = `
import { type Connection, createSupervisor, type Receipt, RequestRefusal, type SendResult, type Supervisor } from 'mooring';
import { type Client, createClient, createPool, type DialedConnection, MooringError, RequestRefusal as ClientRefusal } from 'mooring/client';
import { createClient as createInspectClient } from 'mooring/client/inspect';
import { z } from 'zod';

type Exactly<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : never;
type User = { userId: string };
const Question = z.object({ n: z.string().transform(Number) });
const Answer = z.object({ at: z.date().transform((date) => date.toISOString()), n: z.number() });
const Told = z.object({ at: z.string().transform((text) => new Date(text)), n: z.number() });
type Said = { at: Date; n: number };

const contracts = { requests: Question, replies: Answer, asks: z.object({ who: z.date().optional() }), answers: Told };
const handlers = { authenticate: async (): Promise<User> => ({ userId: 'ann' }) };

export const first = createSupervisor({
  ...handlers,
  ...contracts,
  async onOpen(connection) {
    const answer = await connection.request({ who: new Date() });
    const exact: [Exactly<typeof answer, Said>, Exactly<typeof connection.peer, User>] = [true, true];
    // @ts-expect-error not what asks takes
    void connection.request({ who: 'ann' });
    return void exact;
  },
  async onRequest(connection, request, { id, signal }) {
    const exact: [Exactly<typeof request, { n: number }>, Exactly<typeof connection.peer, User>, Exactly<typeof id, string>] = [true, true, true];
    if (signal.aborted) return new RequestRefusal('late');
    const back = await connection.request({}, { timeoutMs: 1_000, signal });
    return { at: back.at, n: request.n + exact.length };
  },
});
export const isTyped: Exactly<typeof first, Supervisor<User, unknown, unknown, unknown, { who?: Date | undefined }, Said>> = true;
export const bare: Supervisor = first;
for (const connection of first.connections) void connection.request({}).then(({ at }) => at.getTime());

export const behind = createSupervisor({
  onRequest(connection, { n }) {
    if (n < 0) throw new RequestRefusal('negative', connection.peer.userId);
    return { at: new Date(), n };
  },
  ...contracts,
  ...handlers,
});

createSupervisor({
  replies: Answer,
  // @ts-expect-error not what replies takes
  onRequest: () => ({ at: 'now', n: 1 }),
});
createSupervisor({
  replies: Answer,
  // @ts-expect-error not what replies takes
  onRequest: async () => ({ n: 1 }),
});

const ofClient = {
  requests: z.object({ who: z.date().optional() }),
  asks: Question,
  answers: Told,
  onRequest: (connection: DialedConnection, request: { who?: Date | undefined }) => request.who?.getTime() ?? new ClientRefusal('nobody'),
};
const client = createClient('wss://example.com/', { mooring: true, ...ofClient });
export const isClient: Exactly<typeof client, Client<unknown, unknown, { n: string }, Said>> = true;
void client.request({ n: '1' }).then(({ at, n }) => at.getTime() + n);
// @ts-expect-error not what asks takes
void client.request({ n: 1 });
// @ts-expect-error no such field
void client.request({ n: '1' }).then(({ nope }) => nope);
void client.connection?.request({ n: '1' }).then(({ at }) => at.getTime());
void createInspectClient('wss://example.com/', { asks: Question, answers: Told }).request({ n: '1' }).then(({ at }) => at.getTime());
void createPool(['wss://example.com/'], { asks: Question, answers: Told }).checkout()?.request({ n: '1' }).then(({ at }) => at.getTime());
createClient('wss://example.com/', {
  asks: Question,
  answers: Told,
  requests: z.object({ room: z.string() }),
  replies: z.object({ members: z.number() }),
  async onRequest(connection, { room }) {
    const { n } = await connection.request({ n: room });
    return { members: n };
  },
});

const untyped: Client = createClient('wss://example.com/');
void untyped.request({ anything: true }).then((answer) => answer satisfies unknown);
// Code that names three parameters, or two, goes on as before.
declare const three: Connection<User, { text: string }, number>;
declare const two: DialedConnection<{ text: string }, number>;
void [three.request('x'), two.request('x')];

const receipt: Promise<Receipt> = client.send('x', { receipt: true });
const result: SendResult = client.send('x', { ttlMs: 5 });
const plain: SendResult = three.send(5);
const confirmed: Promise<Receipt> = three.send(5, { receipt: true });
// @ts-expect-error a receipt is a promise
const wrong: SendResult = two.send(5, { receipt: true });
export const sends = [receipt, result, plain, confirmed, wrong];
client.request({ n: '1' }).catch((error) => error instanceof MooringError && error.refusal?.code satisfies string | undefined | false);
`;
