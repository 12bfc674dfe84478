import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Sender, Senders } from '../../src/bus/nats/sender.ts';

describe('Senders', () => {
  it('refuse what an earlier connection has sent once a later one is heard', () => {
    const sender = new Sender();
    const senders = new Senders(new Sender());
    sender.connected();
    const first = sender.mark;
    assert.deepEqual([senders.accepts(first), senders.accepts(first)], [true, true]);
    sender.connected();
    const second = sender.mark;
    assert.equal(senders.accepts(first), true, 'the second one has not been heard');
    assert.deepEqual([senders.accepts(second), senders.accepts(first)], [true, false]);
    assert.deepEqual([senders.accepts(second), senders.accepts(first)], [true, false]);
  });

  it('tell senders apart, and let other programs pass', () => {
    const senders = new Senders(new Sender());
    const [one, other] = [new Sender(), new Sender()];
    for (const sender of [one, other]) sender.connected();
    const late = one.mark;
    one.connected();
    assert.match(one.mark, /^[0-9a-z]{12}\.2$/);
    for (const mark of [one.mark, other.mark, undefined, '', '_INBOX.abc', 'x.1', 'abcdefghijkl.x'])
      assert.equal(senders.accepts(mark), true, mark);
    assert.equal(senders.accepts(late), false);
  });

  it('refuse what an earlier connection of this link has sent', () => {
    const sender = new Sender();
    const senders = new Senders(sender);
    sender.connected();
    const late = sender.mark;
    sender.connected();
    assert.deepEqual([senders.accepts(late), senders.accepts(late)], [false, false]);
    assert.equal(senders.accepts(`${sender.name}1.1`), true);
  });

  it('forget the oldest of 10,000 senders', () => {
    const senders = new Senders(new Sender());
    const markOf = (number: number, connection: number) =>
      `${number.toString(36).padStart(12, '0')}.${connection}`;
    for (let number = 0; number <= 10_000; number += 1) senders.accepts(markOf(number, 2));
    assert.equal(senders.accepts(markOf(0, 1)), true);
    assert.equal(senders.accepts(markOf(9_999, 1)), false);
  });
});
