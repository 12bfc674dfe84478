import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { z } from 'zod';
import { type ConnectionFact, connectionFacts } from '../../machines/connection-contract.ts';
import { closeCodeInfo, type Level } from '../../src/core/close-code.ts';
import { tcpCause } from '../../src/core/failure.ts';
import {
  type Classification,
  type CloseCause,
  type CloseVerdict,
  classifyClose,
  classifyPageClose,
  type Evidence,
  type LocalCause,
} from '../../src/core/verdict.ts';

/** An error as Node.js makes it for a failed system call, or one of ours if there is no code. */
function errorOf(code?: string): Error {
  return Object.assign(new Error(code ?? 'boom'), code === undefined ? {} : { code });
}

const bye = { code: 1000, reason: 'bye' };
const reset = errorOf('ECONNRESET');
const violation = errorOf('WS_ERR_INVALID_UTF8');

/** The level of an ending that this side requested. */
const levels: Record<LocalCause, Level> = {
  close: 'info',
  drain: 'info',
  terminate: 'info',
  expired: 'info',
  replaced: 'info',
  'invalid-message': 'warn',
  'message-rate': 'warn',
  'slow-consumer': 'warn',
  'missed-messages': 'warn',
  silent: 'warn',
  'heartbeat-timeout': 'warn',
  'ping-flood': 'warn',
  fail: 'error',
  'handler-error': 'error',
  crash: 'error',
  'welcome-timeout': 'error',
  'handler-stalled': 'error',
  'reader-too-slow': 'error',
};
const intents = Object.keys(levels) as LocalCause[];

/** The evidence for each cause. The type must have no cause without evidence. */
const causes: Record<CloseCause, Evidence> = {
  ...(Object.fromEntries(intents.map((intent) => [intent, { intent }])) as Record<
    LocalCause,
    Evidence
  >),
  'peer-close': { received: bye },
  'close-timeout': { intent: 'close', forced: true },
  'protocol-error': { protocolError: violation },
  'message-limit': { protocolError: violation, refused: 'message-limit' },
  'message-timeout': { protocolError: violation, refused: 'message-timeout' },
  overload: { protocolError: violation, refused: 'overload' },
  'taken-away': { taken: errorOf(), ended: true },
  'send-error': { sendError: errorOf() },
  'tcp-fin': { ended: true },
  'tcp-fin-backlog': { ended: true, forced: true },
  'tcp-reset': { socketError: reset },
  'tcp-timeout': { socketError: errorOf('ETIMEDOUT') },
  'tcp-error': { socketError: errorOf('ENOBUFS') },
  'connection-lost': {},
  unknown: {},
};

const abnormal = { code: 1006, reason: '', clean: false } as const;
const network = { ...abnormal, origin: 'network', layer: 'tcp', retry: 'backoff' } as const;
const local = { ...abnormal, origin: 'local', layer: 'tcp', retry: 'backoff' } as const;

/** Endings of the catalogue, by their ids. */
const endings: readonly [string, Evidence, Classification][] = [
  [
    'C01: the peer closes',
    { received: bye, clean: true },
    {
      ...bye,
      origin: 'peer',
      layer: 'websocket',
      clean: true,
      cause: 'peer-close',
      retry: 'backoff',
      level: 'info',
    },
  ],
  [
    'C01: the peer sends an empty close frame',
    { received: { code: 1005, reason: '' }, clean: true },
    {
      code: 1005,
      reason: '',
      origin: 'peer',
      layer: 'websocket',
      clean: true,
      cause: 'peer-close',
      retry: 'backoff',
      level: 'info',
    },
  ],
  [
    'C04: our close frame is never answered',
    { intent: 'close', sent: bye, forced: true },
    { ...local, sent: bye, cause: 'close-timeout', level: 'warn' },
  ],
  [
    'C05: close frames are exchanged, but the peer keeps the TCP connection',
    { intent: 'close', sent: bye, received: bye, clean: true, forced: true },
    {
      ...bye,
      sent: bye,
      origin: 'local',
      layer: 'websocket',
      clean: true,
      cause: 'close',
      retry: 'backoff',
      level: 'info',
      lingered: true,
    },
  ],
  [
    'C06: both sides close at once',
    {
      intent: 'close',
      sent: { code: 4001, reason: 'ours' },
      received: { code: 4002, reason: 'theirs' },
      clean: true,
      simultaneous: true,
    },
    {
      code: 4002,
      reason: 'theirs',
      sent: { code: 4001, reason: 'ours' },
      origin: 'local',
      layer: 'websocket',
      clean: true,
      cause: 'close',
      retry: 'backoff',
      level: 'info',
      simultaneous: true,
    },
  ],
  [
    'C06c: the peer answers with a code of its own',
    { intent: 'drain', sent: { code: 1001, reason: 'draining' }, received: bye, clean: true },
    {
      ...bye,
      sent: { code: 1001, reason: 'draining' },
      origin: 'local',
      layer: 'websocket',
      clean: true,
      cause: 'drain',
      retry: 'backoff',
      level: 'info',
    },
  ],
  [
    'C09: this side terminates',
    { intent: 'terminate', ended: true },
    { ...local, cause: 'terminate', level: 'info' },
  ],
  [
    'C10: our close frame never leaves, behind a backlog',
    { intent: 'close', forced: true },
    { ...local, cause: 'close-timeout', level: 'warn' },
  ],
  [
    'D01: RST',
    { socketError: reset },
    { ...network, cause: 'tcp-reset', level: 'warn', error: reset },
  ],
  ['D03: FIN', { ended: true }, { ...network, cause: 'tcp-fin', level: 'info' }],
  [
    'D04: FIN while our backlog is unread',
    { ended: true, forced: true },
    { ...network, cause: 'tcp-fin-backlog', level: 'warn' },
  ],
  [
    'D05: the peer stops reading',
    { intent: 'slow-consumer', sent: { code: 1013, reason: 'too slow' }, forced: true },
    { ...local, sent: { code: 1013, reason: 'too slow' }, cause: 'slow-consumer', level: 'warn' },
  ],
  [
    'D06: a write fails before the socket says so',
    { sendError: errorOf('EPIPE') },
    { ...network, cause: 'tcp-reset', level: 'warn', error: errorOf('EPIPE') },
  ],
  [
    'D08b: the peer sleeps',
    { intent: 'heartbeat-timeout' },
    { ...network, cause: 'heartbeat-timeout', level: 'warn' },
  ],
  [
    'E01: the peer breaks the protocol',
    { protocolError: violation, sent: { code: 1007, reason: '' } },
    {
      ...abnormal,
      sent: { code: 1007, reason: '' },
      origin: 'local',
      layer: 'websocket',
      cause: 'protocol-error',
      retry: 'backoff',
      level: 'error',
      error: violation,
    },
  ],
  ['E05: ping flood', { intent: 'ping-flood' }, { ...local, cause: 'ping-flood', level: 'warn' }],
  [
    'G06: a close frame, then RST',
    { received: { code: 1001, reason: '' }, clean: true, socketError: reset },
    {
      code: 1001,
      reason: '',
      origin: 'peer',
      layer: 'websocket',
      clean: true,
      cause: 'peer-close',
      retry: 'backoff',
      level: 'info',
      error: reset,
    },
  ],
];

describe('classifyClose', () => {
  for (const [title, evidence, expected] of endings) {
    it(title, () => assert.deepEqual(classifyClose(evidence), expected));
  }

  it('returns every cause that exists', () => {
    for (const [cause, evidence] of Object.entries(causes)) {
      const classify = cause === 'connection-lost' ? classifyPageClose : classifyClose;
      assert.equal(classify(evidence).cause, cause);
    }
  });

  it('takes retry and level of a close frame of the peer from the table of codes', () => {
    for (let code = 1000; code <= 5000; code += 1) {
      const { class: _, name, sendable, ...info } = closeCodeInfo(code);
      const { retry, level, ...verdict } = classifyClose({
        received: { code, reason: name },
        clean: true,
      });
      assert.deepEqual({ retry, level }, info, `${code}, sendable: ${sendable}`);
      assert.deepEqual(verdict, {
        code,
        reason: name,
        origin: 'peer',
        layer: 'websocket',
        clean: true,
        cause: 'peer-close',
      });
    }
  });

  it('treats a clean close with a fault code as an error', () => {
    for (const code of [1002, 1003, 1007, 1009, 1010, 1011]) {
      assert.equal(classifyClose({ received: { code, reason: '' }, clean: true }).level, 'error');
    }
  });

  for (const intent of intents) {
    it(`${intent}: keeps cause and level, answered or not`, () => {
      const answered = classifyClose({ intent, received: bye, clean: true });
      const alone = classifyClose({ intent });
      assert.deepEqual([answered.cause, answered.level], [intent, levels[intent]]);
      assert.deepEqual([alone.cause, alone.level], [intent, levels[intent]]);
      assert.deepEqual([answered.layer, answered.code, answered.clean], ['websocket', 1000, true]);
      assert.deepEqual([alone.layer, alone.code, alone.clean], ['tcp', 1006, false]);
      const origin = intent === 'heartbeat-timeout' ? 'network' : 'local';
      assert.deepEqual([answered.origin, alone.origin], [origin, origin]);
      if (origin === 'network') assert.equal(answered.retry, alone.retry);
    });

    it(`${intent}: becomes a timeout only when this side was waiting for a handshake`, () => {
      const { cause, level } = classifyClose({ intent, forced: true });
      const waited = intent === 'close' || intent === 'drain';
      assert.deepEqual(
        [cause, level],
        waited ? ['close-timeout', 'warn'] : [intent, levels[intent]],
      );
    });
  }
});

describe('the precedence of evidence', () => {
  const everything: Evidence = {
    intent: 'close',
    sent: { code: 4001, reason: 'ours' },
    received: bye,
    simultaneous: true,
    clean: true,
    protocolError: violation,
    handlerError: errorOf('handler'),
    socketError: reset,
    sendError: errorOf('EPIPE'),
    ended: true,
    forced: true,
  };
  const { protocolError: _p, ...withoutViolation } = everything;
  const { received: _r, ...withoutFrame } = withoutViolation;
  const { intent: _i, ...withoutIntent } = withoutFrame;
  const { ended: _e, ...withoutFin } = withoutIntent;

  it('is: violation, close frame, intent, FIN, socket error, failed write', () => {
    assert.equal(classifyClose(everything).cause, 'protocol-error');
    assert.equal(classifyClose({ ...withoutViolation, intent: undefined }).cause, 'peer-close');
    assert.equal(classifyClose(withoutViolation).code, 1000);
    assert.equal(classifyClose(withoutFrame).cause, 'close-timeout');
    assert.equal(classifyClose(withoutIntent).cause, 'tcp-fin-backlog');
    assert.equal(classifyClose(withoutFin).error, everything.handlerError);
    const errors = { socketError: errorOf('ETIMEDOUT'), sendError: errorOf('EPIPE') };
    assert.equal(classifyClose(errors).cause, 'tcp-timeout');
  });

  it('attaches the first error of: violation, handler, socket, write', () => {
    assert.equal(classifyClose(everything).error, violation);
    assert.equal(classifyClose(withoutViolation).error, everything.handlerError);
    assert.equal(classifyClose({ ...withoutViolation, handlerError: undefined }).error, reset);
    assert.equal(classifyClose({ ended: true, sendError: reset }).error, reset);
  });

  it('keeps FIN as the cause when an error follows it', () => {
    const { cause, level, error } = classifyClose({ ended: true, socketError: reset });
    assert.deepEqual([cause, level, error], ['tcp-fin', 'info', reset]);
  });
});

describe('tcpCause', () => {
  it('names what a system code means', () => {
    const codes = {
      'tcp-reset': ['ECONNRESET', 'EPIPE', 'ECONNABORTED'],
      'tcp-timeout': ['ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH'],
      'tcp-error': ['ENOBUFS', 'EMFILE', 'ERR_SSL_WRONG_VERSION_NUMBER', '', 'constructor'],
    };
    for (const [cause, names] of Object.entries(codes)) {
      for (const name of names) assert.equal(tcpCause(errorOf(name)), cause, name);
    }
    assert.equal(tcpCause(errorOf()), 'tcp-error');
  });
});

const facts = Object.keys(connectionFacts) as ConnectionFact['type'][];
const frameSchema = z.strictObject({ code: z.int().min(0).max(65_535), reason: z.string() });

/** The shape of every verdict. Optional members are present or absent, but never `undefined`. */
const verdictSchema = z.strictObject({
  code: z.int().min(1000).max(4999),
  reason: z.string(),
  sent: frameSchema.exactOptional(),
  origin: z.enum(['local', 'peer', 'network']),
  layer: z.enum(['websocket', 'tcp']),
  clean: z.boolean(),
  cause: z.enum(Object.keys(causes) as [CloseCause, ...CloseCause[]]),
  retry: z.enum(['now', 'backoff', 'slow', 'never']),
  level: z.enum(['info', 'warn', 'error']),
  simultaneous: z.literal(true).exactOptional(),
  lingered: z.literal(true).exactOptional(),
  error: z.instanceof(Error).exactOptional(),
  openMs: z.int().min(0),
  bytesIn: z.int().min(0),
  bytesOut: z.int().min(0),
  trail: z.array(z.strictObject({ fact: z.enum(facts), atMs: z.int() })),
}) satisfies z.ZodType<CloseVerdict>;

const anyError = fc
  .constantFrom('ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOBUFS', undefined)
  .map(errorOf);
const anyFrame = fc.record({
  code: fc.constantFrom(1000, 1001, 1002, 1005, 1008, 1011, 1012, 1013, 3000, 3999, 4000, 4999),
  reason: fc.string(),
});
const anyEvidence: fc.Arbitrary<Evidence> = fc.record(
  {
    intent: fc.constantFrom(...intents),
    sent: anyFrame,
    received: anyFrame,
    simultaneous: fc.boolean(),
    clean: fc.boolean(),
    protocolError: anyError,
    handlerError: anyError,
    socketError: anyError,
    sendError: anyError,
    ended: fc.boolean(),
    forced: fc.boolean(),
  },
  { requiredKeys: [] },
);

function always(holds: (evidence: Evidence, verdict: Classification) => void): void {
  const property = fc.property(anyEvidence, (evidence) => {
    holds(evidence, classifyClose(Object.freeze(evidence)));
  });
  fc.assert(property, { numRuns: 1_000 });
}

describe('a verdict, whatever the evidence', () => {
  it('matches its schema and depends on the evidence alone', () => {
    always((evidence, verdict) => {
      const counted = { ...verdict, openMs: 0, bytesIn: 0, bytesOut: 0, trail: [] };
      const { error } = verdictSchema.safeParse(counted);
      assert.equal(error, undefined, z.prettifyError(error ?? new z.ZodError([])));
      assert.deepEqual(classifyClose(evidence), verdict);
    });
  });

  it('blames a violation before anything else', () => {
    always(({ protocolError }, { cause, level, retry, error, code, clean }) => {
      assert.equal(cause === 'protocol-error', protocolError !== undefined);
      if (protocolError === undefined) return;
      assert.deepEqual([level, retry, code, clean], ['error', 'backoff', 1006, false]);
      assert.equal(error, protocolError);
    });
  });

  it('is closed by the peer only when a close frame of the peer began it', () => {
    always(({ received, intent, protocolError }, { origin, cause }) => {
      const byPeer = received !== undefined && intent === undefined && protocolError === undefined;
      assert.equal(origin === 'peer', byPeer);
      assert.equal(cause === 'peer-close', byPeer);
    });
  });

  it('has the code and reason of the peer, or 1006 and no reason', () => {
    always(({ received, protocolError, sent, clean }, verdict) => {
      const heard = protocolError === undefined ? received : undefined;
      assert.equal(verdict.code, heard?.code ?? 1006);
      assert.equal(verdict.reason, heard?.reason ?? '');
      assert.equal(verdict.clean, heard !== undefined && clean === true);
      assert.deepEqual(verdict.sent, sent);
    });
  });

  it('derives retry from the frame that began the closing', () => {
    always(({ received, sent, intent, protocolError }, { retry }) => {
      if (protocolError !== undefined || received === undefined) return;
      const first = intent === undefined ? received : (sent ?? received);
      // No frame began it: this side gives up a silent peer without one.
      const expected = intent === 'heartbeat-timeout' ? 'backoff' : closeCodeInfo(first.code).retry;
      assert.equal(retry, expected);
    });
  });

  it('is simultaneous or lingered only when both close frames were exchanged, or had left', () => {
    always(({ simultaneous, forced }, verdict) => {
      const hasFrame = verdict.code !== 1006;
      assert.equal(verdict.simultaneous, (hasFrame && simultaneous) || undefined);
      assert.equal(verdict.lingered, (verdict.clean && forced) || undefined);
    });
  });

  it('is no error when this side simply requested it', () => {
    const wanted = fc.constantFrom<LocalCause>('close', 'drain', 'terminate');
    fc.assert(
      fc.property(anyEvidence, wanted, (evidence, intent) => {
        const answered = evidence.received !== undefined || !evidence.forced;
        const { level } = classifyClose({ ...evidence, intent, protocolError: undefined });
        assert.equal(level, answered || intent === 'terminate' ? 'info' : 'warn');
      }),
    );
  });

  it('is no error when the peer began it with 1000, 1001 or 1005', () => {
    const friendly = fc.constantFrom(1000, 1001, 1005).map((code) => ({ code, reason: '' }));
    fc.assert(
      fc.property(anyEvidence, friendly, ({ intent, protocolError, ...evidence }, received) => {
        assert.equal(classifyClose({ ...evidence, received }).level, 'info');
      }),
    );
  });

  it('has a TCP cause only when no close frame arrived', () => {
    always(({ received, protocolError }, { layer, cause }) => {
      assert.equal(layer, (received ?? protocolError) ? 'websocket' : 'tcp');
      if (layer === 'websocket') assert.ok(!cause.startsWith('tcp'), cause);
    });
  });

  it('never loses an error', () => {
    always((evidence, { error }) => {
      const { protocolError, handlerError, socketError, sendError } = evidence;
      const errors = [protocolError, handlerError, socketError, sendError];
      assert.equal(
        error,
        errors.find((candidate) => candidate !== undefined),
      );
    });
  });
});
