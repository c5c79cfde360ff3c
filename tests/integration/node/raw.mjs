// A client without a Jupyter server, as VS Code is one: it starts the kernel from its kernelspec, joins the sockets through
// the zeromq package and gives them to JupyterLab's client library in the place of a websocket. It holds one conversation,
// named on its command line. KERNEL_SPEC is the kernelspec as JSON; INTERRUPT says how the stop button acts: `control` or
// `shell` (an interrupt_request on that channel) or `signal`.

import { spawn } from 'node:child_process';
import { createHmac, randomUUID, timingSafeEqual } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import services from '@jupyterlab/services';
import zmq from 'zeromq';
import { hold } from './conversations.mjs';

const { KernelMessage, ServerConnection } = services;
const { KernelConnection } = await import('@jupyterlab/services/lib/kernel/default.js').then(module => module.default ?? module);
const DELIMITER = '<IDS|MSG>';
const CHANNELS = ['shell', 'control', 'stdin', 'iopub'];
const SECONDS_TO_END = 10;
const MILLISECONDS_TO_ASK_AGAIN = 500;

const sign = (key, frames) => {
  const mac = createHmac('sha256', key);
  frames.forEach(frame => mac.update(frame));
  return mac.digest('hex');
};

function encode(message, key) {
  const frames = [message.header, message.parent_header ?? {}, message.metadata ?? {}, message.content].map(part => JSON.stringify(part));
  return [DELIMITER, sign(key, frames), ...frames,
    ...(message.buffers ?? []).map(buffer => Buffer.from(buffer.buffer ?? buffer, buffer.byteOffset ?? 0, buffer.byteLength))];
}

function decode(frames, key, channel) {
  const start = frames.findIndex(frame => frame.toString() === DELIMITER);
  const [signature, ...parts] = frames.slice(start + 1);
  if (!timingSafeEqual(signature, Buffer.from(sign(key, parts.slice(0, 4))))) throw new Error('wrong signature');
  const [header, parent_header, metadata, content] = parts.slice(0, 4).map(part => JSON.parse(part.toString()));
  return { header, parent_header, metadata, content, channel, msg_id: header.msg_id, msg_type: header.msg_type,
    buffers: parts.slice(4).map(part => new DataView(part.buffer, part.byteOffset, part.byteLength)) };
}

// What the client library takes for a websocket.
class RawSocket {
  protocol = '';
  constructor(connection) {
    this.key = connection.key;
    const routingId = randomUUID();
    const unlimited = { receiveHighWaterMark: 0, maxMessageSize: -1, linger: 0 };
    for (const channel of CHANNELS) {
      const socket = channel === 'iopub' ? new zmq.Subscriber(unlimited)
        : new zmq.Dealer({ ...unlimited, routingId, sendHighWaterMark: 0 });
      socket.connect(`${connection.transport}://${connection.ip}:${connection[`${channel}_port`]}`);
      this[channel] = socket;
      this.receive(channel, socket);
    }
    this.iopub.subscribe();
    this.sent = Promise.resolve();
    setTimeout(() => this.onopen({ target: this }));
  }
  async receive(channel, socket) {
    for await (const frames of socket)
      this.onmessage?.({ data: decode(frames, this.key, channel), type: 'message', target: this });
  }
  send(message) {
    this.sent = this.sent.then(() => this[message.channel].send(encode(message, this.key)));
  }
  close() {
    CHANNELS.forEach(channel => this[channel].close());
  }
}

const free_port = () => new Promise(resolve => {
  const server = net.createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});

// Empty for what has ended meanwhile.
const read = file => {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes(error.code)) return '';
    throw error;
  }
};

const children = pid => read(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean)
  .flatMap(child => [...children(child), Number(child)]);

// What has ended may wait to be collected by the machine's process 1.
const alive = pid => /\)\s[^ZX]/.test(read(`/proc/${pid}/stat`));

// A kernel as conversations use one: what this object does not do itself, the client library's connection does.
class RawKernel {
  static async start(spec) {
    const kernel = new RawKernel();
    kernel.spec = spec;
    await kernel.launch();
    return new Proxy(kernel, { get: (own, name) => {
      const of = name in own ? own : own.connection;
      const member = Reflect.get(of, name, of);
      return typeof member === 'function' ? member.bind(of) : member;
    }, set: (own, name, value) => Reflect.set(own.connection, name, value, own.connection) });
  }

  async launch() {
    const ports = {};
    for (const channel of [...CHANNELS, 'hb']) ports[`${channel}_port`] = await free_port();
    const connection = { ...ports, transport: 'tcp', ip: '127.0.0.1', key: randomUUID(), signature_scheme: 'hmac-sha256',
      kernel_name: this.spec.name };
    this.directory = mkdtempSync(path.join(os.tmpdir(), 'raw-kernel-'));
    const file = path.join(this.directory, 'kernel-v2-1.json');
    writeFileSync(file, JSON.stringify(connection));
    const [program, ...args] = this.spec.argv.map(part => part.replace('{connection_file}', file));
    this.process = spawn(program, args, { cwd: this.directory, env: { ...process.env, ...this.spec.env }, stdio: ['ignore', 'inherit', 'inherit'] });
    this.exited = new Promise(resolve => this.process.on('exit', resolve));
    let socket;
    class Socket extends RawSocket {
      constructor() {
        super(connection);
        socket = this;
      }
    }
    const serverSettings = ServerConnection.makeSettings({ WebSocket: Socket,
      serializer: { serialize: message => message, deserialize: message => message } });
    this.connection = new KernelConnection({ model: { id: randomUUID(), name: this.spec.name }, serverSettings, handleComms: true });
    this.socket = socket;
    await this.answered();
  }

  // A reply counts for the library when the state "idle" came as well, and what is published before this client's
  // subscription has arrived is lost, with every kernel. So VS Code asks again, and this client does.
  async answered() {
    let known = false;
    this.connection.info.then(() => { known = true; });
    while (!known) {
      await Promise.race([this.connection.info, new Promise(resolve => { setTimeout(resolve, MILLISECONDS_TO_ASK_AGAIN); })]);
      if (!known) this.connection.requestKernelInfo().catch(error => this.connection.isDisposed || console.error(error));
    }
  }

  async interrupt() {
    if (process.env.INTERRUPT === 'signal') {
      this.process.kill('SIGINT');
      return;
    }
    const reply = await this.request('interrupt_request', process.env.INTERRUPT);
    if (reply.content.status !== 'ok') throw new Error(`interrupt: ${JSON.stringify(reply.content)}`);
  }

  request(msgType, channel) {
    const message = KernelMessage.createMessage({ msgType, channel, username: this.connection.username,
      session: this.connection.clientId, content: {} });
    return this.connection[channel === 'shell' ? 'sendShellMessage' : 'sendControlMessage'](message, true, true).done;
  }

  async restart() {
    await this.shutdown();
    await this.launch();
  }

  // The processes below the kernel first, then the kernel itself, all by SIGTERM.
  async shutdown() {
    // What the library has begun by itself, such as a subshell for a comm, ends first: control requests keep their order.
    await this.request('kernel_info_request', 'control');
    this.connection.dispose();
    const below = children(this.process.pid);
    for (const pid of below) {
      try {
        process.kill(pid);
      } catch (error) {
        if (error.code !== 'ESRCH') throw error;
      }
    }
    this.process.kill();
    const timeout = new Promise((_, reject) => setTimeout(() => reject(new Error('the kernel did not end')), 1000 * SECONDS_TO_END).unref());
    await Promise.race([this.exited, timeout]);
    const left = below.filter(alive);
    if (left.length) throw new Error(`processes are left: ${left}`);
    this.socket.close();
    rmSync(this.directory, { recursive: true });
  }
}

const kernel = await RawKernel.start(JSON.parse(process.env.KERNEL_SPEC));
let status = await hold(process.argv[2], kernel);
try {
  await kernel.shutdown();
} catch (error) {
  console.error(error);
  status = 1;
}
process.exit(status);
