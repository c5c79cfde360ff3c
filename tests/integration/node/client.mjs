// A Jupyter client in Node, made of the library that JupyterLab and VS Code are made of. It holds one conversation, named
// on its command line, with a kernel of a Jupyter server.

import services from '@jupyterlab/services';
import { hold } from './conversations.mjs';

const { KernelManager, ServerConnection } = services;

const settings = ServerConnection.makeSettings({
  baseUrl: process.env.SERVER_URL, wsUrl: process.env.SERVER_URL.replace('http', 'ws'), token: process.env.SERVER_TOKEN,
});
const manager = new KernelManager({ serverSettings: settings });
const kernel = await manager.startNew({ name: process.env.KERNEL_NAME });
const status = await hold(process.argv[2], kernel);
await kernel.shutdown();
// The manager's timers would keep Node alive.
process.exit(status);
