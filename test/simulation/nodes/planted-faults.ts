import type { Clock } from '../../../src/core/clock.ts';
import { FanOut } from '../../../src/server/fan-out.ts';
import type { Publication } from '../../../src/server/publication.ts';
import { type Control, type ControlListener, Reach } from '../../../src/server/reach.ts';
import { Registry } from '../../../src/server/registry.ts';
import { TopicAudience } from '../../../src/server/topics.ts';
import { both, instead, insteadOfGetter, type PlantedFault } from '../planted.ts';

type Forward = (topic: string, publication: Publication) => boolean;

/** Forwards publications with some of their parts changed. */
function forwarding(change: (publication: Publication) => Partial<Publication>): () => () => void {
  return both(
    instead(Reach.prototype, 'forward', (original, topic: string, publication: Publication) =>
      (original as Forward)(topic, { ...publication, ...change(publication) }),
    ),
    instead(Reach.prototype, 'forwardBroadcast', (original, publication: Publication) =>
      (original as (one: Publication) => boolean)({ ...publication, ...change(publication) }),
    ),
  );
}

/** What waits until the members of the own node have been served. */
const late = new WeakMap<Publication, () => boolean>();

/** What a reach could not forward when it last tried. */
const waiting = new WeakMap<Reach, () => boolean>();

const forwardedLate = both(
  instead(Reach.prototype, 'forward', function (this: Reach, original, topic, publication) {
    late.set(publication, () => (original as Forward)(topic, publication));
    return this.state === 'up';
  }),
  instead(TopicAudience.prototype, 'publish', (original, publication: never) => {
    original(publication);
    late.get(publication)?.();
  }),
);

/** Replaces the listener, or the control, of the channel about keys. */
function aboutKeys(
  change: (listener: ControlListener) => Partial<ControlListener>,
  changeControl: (control: Control) => Control = (control) => control,
): () => () => void {
  return instead(
    Reach.prototype,
    'control',
    (original, channel: string, listener: ControlListener) => {
      const open = original as (name: string, one: ControlListener) => Control;
      return changeControl(open(channel, { ...listener, ...change(listener) }));
    },
  );
}

/** A stamp that is higher than all others, and not so far ahead that it is refused. */
const HIGHEST = 4e12;

/** Hears announcements with another stamp. */
function stamped(stamp: number): () => () => void {
  return aboutKeys(({ heard }) => ({
    heard: (message) => {
      const { newest } = message as { newest?: readonly [string, number, string][] };
      heard(newest ? { newest: newest.map(([key, , id]) => [key, stamp, id]) } : message);
    },
  }));
}

/** Reaches that have been up. */
const wereUp = new WeakSet<object>();
const stateNow = Object.getOwnPropertyDescriptor(Reach.prototype, 'state')?.get;

const nothing = () => {};

/** A clock whose timers never fire. */
const stopped: Pick<Clock, 'setTimer' | 'clearTimer'> = {
  setTimer: () => ({}),
  clearTimer: nothing,
};

/** Possible mistakes in what supervisors do on a bus, and the rules that each breaks. */
export const nodesFaults: readonly PlantedFault[] = [
  {
    mistake: 'a publication is forwarded after the members of the own node have it',
    plant: forwardedLate,
    breaks: ['forwarded-in-order', 'forwarded-is-true'],
  },
  {
    mistake: 'a node hears topics that it has no members for any more',
    plant: instead(Reach.prototype, 'stopListening', nothing),
    breaks: ['interest-is-exact', 'listens-once'],
  },
  {
    mistake: 'a node does not hear a topic that has listeners and no members',
    plant: instead(Reach.prototype, 'listen', (original, audience: never) => {
      if ((audience as TopicAudience).members.size > 0) original(audience);
    }),
    breaks: ['interest-is-exact'],
  },
  {
    mistake: 'a topic with listeners is forgotten when its last member leaves',
    plant: insteadOfGetter(TopicAudience.prototype, 'isNeeded', function (this: TopicAudience) {
      return this.members.size > 0;
    }),
    breaks: ['interest-is-exact'],
  },
  {
    mistake: 'the ids of connections that get nothing are not sent',
    plant: forwarding(() => ({ exceptElsewhere: [] })),
    breaks: ['members-get-what-is-theirs'],
  },
  {
    mistake: 'a local publication is forwarded',
    plant: forwarding(() => ({ isLocal: false })),
    breaks: ['local-stays-here', 'forwarded-is-true'],
  },
  {
    mistake: 'the policy for slow members is not sent',
    plant: forwarding(() => ({ overflow: 'drop-newest' })),
    breaks: ['slow-members-are-closed'],
  },
  {
    mistake: 'a publication counts as forwarded while the bus is away',
    plant: instead(Reach.prototype, 'forward', (original, ...args) => {
      original(...args);
      return true;
    }),
    breaks: ['forwarded-is-true'],
  },
  {
    mistake: 'a publication is forwarded twice',
    plant: instead(Reach.prototype, 'forward', (original, ...args) => {
      original(...args);
      return original(...args);
    }),
    breaks: ['published-once'],
  },
  {
    mistake: 'what was refused is sent when the bus is back',
    plant: both(
      instead(Reach.prototype, 'forward', function (this: Reach, original, ...args) {
        const forward = () => original(...args) as boolean;
        const isForwarded = forward();
        if (!isForwarded) waiting.set(this, forward);
        return isForwarded;
      }),
      instead(Reach.prototype, 'moved', function (this: Reach, original, ...args) {
        original(...args);
        waiting.get(this)?.();
      }),
    ),
    breaks: ['published-once'],
  },
  {
    mistake: 'connections are not announced again after an outage',
    plant: aboutKeys(() => ({ up: nothing })),
    breaks: ['announces-again'],
  },
  {
    mistake: 'the announcement that arrives last wins',
    plant: stamped(HIGHEST),
    breaks: ['newest-stays', 'stamps-grow'],
  },
  {
    mistake: 'a connection does not make way for a newer one on another node',
    plant: stamped(0),
    breaks: ['newest-replaces-older', 'stamps-grow'],
  },
  {
    mistake: 'connections of other nodes are not closed by their key',
    plant: aboutKeys(({ heard }) => ({
      heard: (message) => {
        if (!Object.hasOwn(message as object, 'close')) heard(message);
      },
    })),
    breaks: ['close-key-closes'],
  },
  {
    mistake: 'other nodes are not asked to close a key',
    plant: aboutKeys(
      () => ({}),
      ({ bytesMax, tell }) => ({
        bytesMax,
        tell: (message) => (Object.hasOwn(message, 'close') ? true : tell(message)),
      }),
    ),
    breaks: ['forwarded-is-true'],
  },
  {
    mistake: 'a newer connection replaces nothing on its own node',
    plant: instead(Registry.prototype, 'byKey', () => []),
    breaks: ['newest-replaces-older', 'newest-answers', 'close-key-closes'],
  },
  {
    mistake: 'a bus that is down counts as up',
    plant: insteadOfGetter(Reach.prototype, 'state', function (this: Reach) {
      const state = stateNow?.call(this);
      if (state === 'up') wereUp.add(this);
      return wereUp.has(this) ? 'up' : state;
    }),
    breaks: ['bus-state-is-true'],
  },
  {
    mistake: 'the state of the bus is emitted twice',
    plant: instead(Reach.prototype, 'moved', (original, ...args) => {
      original(...args);
      original(...args);
    }),
    breaks: ['bus-events-once'],
  },
  {
    mistake: 'what is heard is shared with members that join later in the turn',
    plant: instead(FanOut.prototype, 'setApart', nothing),
    breaks: ['members-get-what-is-theirs', 'members-get-in-order', 'own-node-is-served'],
  },
  {
    mistake: 'listeners get what other nodes publish twice',
    plant: instead(TopicAudience.prototype, 'announce', (original, ...args) => {
      original(...args);
      original(...args);
    }),
    breaks: ['listeners-get-all'],
  },
  {
    mistake: 'what another node publishes is delivered twice',
    plant: instead(TopicAudience.prototype, 'deliver', (original, ...args) => {
      original(...args);
      original(...args);
    }),
    breaks: ['members-get-what-is-theirs', 'own-node-is-served'],
  },
  {
    mistake: 'a drain waits for a bus that never closes',
    plant: instead(Reach.prototype, 'close', function (this: Reach, original) {
      Object.defineProperty(this, 'clock', { value: stopped });
      return original();
    }),
    breaks: ['drain-ends-in-time'],
  },
  {
    mistake: 'a drain does not leave the bus',
    plant: instead(Reach.prototype, 'close', async () => {}),
    breaks: ['leaves-the-bus', 'bus-state-is-true', 'interest-is-exact'],
  },
  {
    mistake: 'nonsense of another program is not reported',
    plant: instead(Reach.prototype, 'errored', nothing),
    breaks: ['nonsense-is-reported'],
  },
];
