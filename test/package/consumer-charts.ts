/** As `typedConsumer`, for the charts, which need the types of XState. */
export const typedCharts = `
import { createSupervisor } from 'mooring';
import { createClient, createPool } from 'mooring/client';
import { type ConnectionOrders, connectionMachine } from 'mooring/machines';
import type { InspectionEvent, Observer } from 'xstate';

export const deliver: keyof ConnectionOrders = 'finish';
export const states: readonly string[] = Object.keys(connectionMachine.states);
const inspect = (event: InspectionEvent) => void event.actorRef.send;
createSupervisor({ inspect });
createClient('wss://example.com/', { inspect });
declare const observer: Observer<InspectionEvent>;
createSupervisor({ inspect: observer });
createClient('wss://example.com/', { inspect: observer });
createPool(['wss://example.com/'], { inspect: observer });
`;
