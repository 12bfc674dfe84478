/** Rows of the lifecycle catalogue that no test shows, each with the reason. */
export const rowsNotShown: Record<string, string> = {
  D13: 'Messages are never compressed, so none can be compressing when the socket dies.',
  E04c: 'Messages are never compressed, so none arrives late because it is being inflated.',
  E11: 'The sent code is caught where ws sends it; every row of section E asserts `verdict.sent`.',
  E12: 'Applications cannot send pings, so none can be too long.',
  F04b: 'Applications cannot listen to pings, so no listener of theirs can throw.',
  F04c: 'Applications cannot listen to pongs, so no listener of theirs can throw.',
  F04d: 'Applications never get the WebSocket, so they cannot add a listener that wedges it.',
  F06: '`send` takes no callback, so none can throw.',
  I06: 'Messages are never compressed, so none can be compressing when the socket is destroyed.',
  'netns-keepalive':
    'TCP keepalive is not used: the heartbeat finds a cut long before the kernel would.',
};

const noTerminate = 'A client is closed, never terminated: applications cannot destroy its socket.';
const neverPauses = 'Reading is paused for an `onOpen` that has not settled; a client has none.';
const noListeners = 'Applications never get the WebSocket, so no listener of theirs can be amiss.';
const sameKernel =
  'What the kernel does about a cable is the same for both sides; a server shows it.';

/** Rows with a client in them that no test of the client shows, each with the reason. */
export const rowsNotShownOfClients: Record<string, string> = {
  ...{ C09: noTerminate, C09b: noTerminate, C09c: noTerminate, C09d: noTerminate },
  ...{ D05b: noTerminate, E08b: noTerminate },
  ...{ D07: neverPauses, D07c: neverPauses, D07d: neverPauses, D07e: neverPauses },
  ...{ D07f: neverPauses },
  ...{ B09d: noListeners, B15: noListeners, B21: noListeners, B22: noListeners },
  ...{ 'netns-idle': sameKernel, 'netns-recover': sameKernel, 'netns-keepalive': sameKernel },
  ...{ 'netns-write': sameKernel, 'netns-close': sameKernel, 'netns-terminate': sameKernel },
  B05v: 'The body of an answer is not read.',
  B06d: 'Redirects are not followed.',
  D09: 'Applications never get the raw socket, so they cannot set a timeout on it.',
  D13: 'Messages are never compressed, so none can be compressing when the socket dies.',
  E04c: 'Messages are never compressed, so none arrives late because it is being inflated.',
  E11: 'The sent code is caught where ws sends it; every row of section E asserts `verdict.sent`.',
  I06: 'Messages are never compressed, so none can be compressing when the socket is destroyed.',
  I10d: 'It is about a server that closes.',
};
