// A chat with rooms. Run `PORT=8080 node chat.js` and connect to `/chat?name=Ada`. A client sends
//
//   {"type":"join","room":"harbour"}    {"type":"leave","room":"harbour"}
//   {"type":"say","room":"harbour","text":"hello"}
//
// and the members of a room get a message when a user comes, leaves or says something.

import { createSupervisor, listen, logEvents, Refusal } from 'mooring';
import { z } from 'zod';

const room = z.string().min(1).max(64);

const supervisor = createSupervisor({
  messages: z.discriminatedUnion('type', [
    z.object({ type: z.literal(['join', 'leave']), room }),
    z.object({ type: z.literal('say'), room, text: z.string().trim().min(1).max(500) }),
  ]),
  sends: z.object({
    type: z.enum(['came', 'left', 'said', 'denied']),
    ...{ room, name: z.string(), text: z.string().optional() },
  }),
  limits: { topicsMax: 20 },
  authenticate({ url = '' }) {
    const name = new URLSearchParams(url.split('?')[1]).get('name')?.trim() ?? '';
    if (!/^[\p{L}\p{N}]{1,32}$/u.test(name)) throw new Refusal(400, 'pass a valid name');
    return { name };
  },
  onMessage(connection, message) {
    const { name } = connection.peer;
    const topic = supervisor.topic(message.room);
    const isMember = connection.topics.includes(message.room);
    if (message.type === 'join' && !isMember && connection.join(message.room)) {
      topic.publish({ type: 'came', room: message.room, name });
    } else if (message.type === 'leave' && connection.leave(message.room)) {
      topic.publish({ type: 'left', room: message.room, name });
    } else if (message.type === 'say' && isMember) {
      topic.publish({ ...message, type: 'said', name });
    } else {
      connection.send({ type: 'denied', room: message.room, name });
    }
  },
  onClose(connection) {
    // The connection has left its topics. `topics` still lists them.
    for (const room of connection.topics) {
      supervisor.topic(room).publish({ type: 'left', room, name: connection.peer.name });
    }
  },
});

logEvents(supervisor.events$, console);
const { PORT = '8080' } = process.env;
const listener = await listen(supervisor, { port: Number(PORT), path: '/chat' });
console.log(`listening at ${listener.url}`);

process.once('SIGTERM', async () => {
  await supervisor.drain({ withinMs: 5_000 });
  await listener.close();
});
