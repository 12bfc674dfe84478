/** As `typedConsumer`, for several processes. It needs the types of the client of NATS. */
export const busConsumer = `
import { type Bus, type BusState, createSupervisor, type KeyClosing, memoryBus } from 'mooring';
import { natsBus } from 'mooring/nats';

declare const text: string | undefined;
const buses: readonly Bus[] = [
  memoryBus(),
  natsBus(),
  natsBus({ servers: ['nats://a', 'nats://b'], name: text, connection: { user: 'ada', pass: 'x', tls: { caFile: '/ca' }, pingInterval: 5_000 } }),
];
// @ts-expect-error the bus sets it
natsBus({ connection: { noEcho: false } });
// @ts-expect-error misspelt
natsBus({ server: 'nats://a' });
for (const bus of buses) {
  const shared = createSupervisor({ bus, sameKey: 'newest', authenticate: () => ({ userId: 'ada' }), key: ({ userId }) => userId });
  const state: BusState = shared.bus;
  const { closed, forwarded }: KeyClosing = shared.closeKey('ada', 4401, state);
  const delivery = shared.topic('x').publish(closed, { except: ['k3v9x2.c1', ...shared.connections], local: forwarded });
  delivery.forwarded satisfies boolean;
  shared.events$.subscribe((event) => event.type === 'bus.down' && event.error?.message);
}
`;
