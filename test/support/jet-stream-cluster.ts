import { connect } from '@nats-io/transport-node';
import type { NatsServerProgram } from '../../docs/examples/lobby/nats-server.ts';
import { deadPort } from './dead-port.ts';
import { JetStreamServer } from './jet-stream-server.ts';

/** The answer to a request for a stream. */
interface StreamInfo {
  readonly cluster?: { readonly leader?: string };
}

/** Three real nats-servers on loopback that keep the same messages. It takes some seconds until they know each other. */
export class JetStreamCluster {
  readonly servers: readonly JetStreamServer[];

  private constructor(servers: readonly JetStreamServer[]) {
    this.servers = servers;
  }

  static async start(program: NatsServerProgram): Promise<JetStreamCluster> {
    const ports = await Promise.all([deadPort(), deadPort(), deadPort()]);
    const routes = ports.map((port) => `nats://127.0.0.1:${port}`).join(',');
    const servers = ports.map((port, index) => {
      const cluster = ['--cluster_name', 'mooring', '--cluster', `nats://127.0.0.1:${port}`];
      const options = ['--name', `n${index}`, ...cluster, '--routes', routes];
      return JetStreamServer.start(program, options);
    });
    return new JetStreamCluster(await Promise.all(servers));
  }

  get urls(): string[] {
    return this.servers.map(({ url }) => url);
  }

  /** The server that leads a stream. */
  async leaderOf(stream: string): Promise<JetStreamServer> {
    const nats = await connect({ servers: this.urls });
    const info = await nats.request(`$JS.API.STREAM.INFO.${stream}`, '', { timeout: 5_000 });
    await nats.close();
    const { leader = '' } = info.json<StreamInfo>().cluster ?? {};
    const server = this.servers[Number(leader.slice(1) || Number.NaN)];
    if (server === undefined) throw new Error(`the stream ${stream} has no leader`);
    return server;
  }

  async end(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.end()));
  }
}
