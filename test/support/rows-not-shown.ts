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
