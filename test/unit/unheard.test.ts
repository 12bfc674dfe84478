// Goal: a warning names only ways to listen that are missing. Method: request each warning from the ways to listen of a
// supervisor and of a client.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Unheard } from '../../src/core/warnings.ts';

const messages: string[] = [];
const note = ({ message }: Error) => void messages.push(message);
/** Warnings are emitted before the next turn of the event loop. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

beforeEach(() => {
  messages.length = 0;
  process.on('warning', note);
});
afterEach(() => void process.off('warning', note));

const boom = new Error('boom');
const refused = {
  ...({ phase: 'admission', cause: 'unauthorized', httpStatus: 401 } as const),
  ...({ retry: 'never', level: 'info', address: '', path: '/', trail: [] } as const),
};

describe('a warning of a supervisor', () => {
  const ways = { events: 'EVENTS', onHandlerError: 'ON_HANDLER_ERROR', onFailed: 'ON_FAILED' };

  it('names the option that receives the report, and not the other one', async () => {
    const unheard = new Unheard(ways);
    unheard.handler('onOpen', boom);
    unheard.failure(refused);
    await turn();
    assert.deepEqual(messages, [
      'onOpen threw Error: boom. To be notified, EVENTS, or ON_HANDLER_ERROR. This is the only warning about this handler.',
      'a connection was refused with 401 (unauthorized). To be notified, EVENTS, or ON_FAILED. This is the only warning about this cause.',
    ]);
  });

  it('has the code of a close frame that refused; for a crash only the stream is named', async () => {
    const unheard = new Unheard(ways);
    const { httpStatus: _, ...openly } = refused;
    unheard.failure({ ...openly, closeCode: 3000 });
    unheard.failure({ ...openly, cause: 'crash' });
    unheard.crash(boom);
    await turn();
    assert.deepEqual(messages, [
      'a connection was refused with 3000 (unauthorized). To be notified, EVENTS, or ON_FAILED. This is the only warning about this cause.',
      'a connection crashed: Error: boom. This is a bug in Mooring: please report it. To be notified, EVENTS. This is the only warning about crashes.',
    ]);
  });

  it('never names the option that itself threw', async () => {
    const unheard = new Unheard(ways);
    for (const name of ['events$', 'onHandlerError']) unheard.handler(name, boom);
    await turn();
    assert.match(String(messages[0]), /^events\$ threw .* To be notified, ON_HANDLER_ERROR\. /);
    assert.match(String(messages[1]), /^onHandlerError threw .* To be notified, EVENTS\. /);
  });
});

describe('a warning of a client', () => {
  it('ends the text of an error with one full stop', async () => {
    const unheard = new Unheard({ events: 'EVENTS' });
    unheard.handler('onOpen', new Error('No price yet.'));
    unheard.invalid({ path: 'price', problem: 'Not a number.', closeCode: 1008 });
    await turn();
    assert.deepEqual(messages, [
      'onOpen threw Error: No price yet. To be notified, EVENTS. This is the only warning about this handler.',
      'a client received an invalid message, which is not delivered: price: Not a number. To be notified, EVENTS. This is the only warning about this kind of fault.',
    ]);
  });

  it('names the streams that receive the report, or none', async () => {
    const unheard = new Unheard({ events: 'EVENTS', endings: 'ENDINGS' });
    unheard.handler('onOpen', boom);
    unheard.handler('events$', boom);
    unheard.lost('refused', 'a client gave up');
    await turn();
    assert.deepEqual(messages, [
      'onOpen threw Error: boom. To be notified, EVENTS. This is the only warning about this handler.',
      'events$ threw Error: boom. This is the only warning about this handler.',
      'a client gave up. To be notified, ENDINGS. This is the only warning about this cause.',
    ]);
  });
});
