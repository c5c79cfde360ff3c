// Conversations that front ends like VS Code have with a kernel, over JupyterLab's client library. Each fails when an answer
// is not what such front ends expect.

import assert from 'node:assert/strict';

// Everything that a front end sees of one request.
async function execute(kernel, code, options = {}, { onOutput, answer } = {}) {
  const future = kernel.requestExecute({ code, ...options });
  const seen = { outputs: [], text: '', states: [] };
  future.onIOPub = message => {
    if (message.header.msg_type === 'status') {
      seen.states.push(message.content.execution_state);
      return;
    }
    seen.outputs.push({ type: message.header.msg_type, ...message });
    seen.text += message.content.text ?? message.content.data?.['text/plain'] ?? '';
    onOutput?.(seen);
  };
  future.onStdin = message => kernel.sendInputReply({ status: 'ok', value: answer(message) }, message.header);
  seen.reply = (await future.done).content;
  return seen;
}

// What VS Code runs before the first cell of a person, unseen.
const hidden = { silent: false, stop_on_error: false, allow_stdin: true, store_history: false };

const conversations = {
  async a_cell(kernel) {
    const seen = await execute(kernel, "print('printed')\n6 * 7");
    assert.deepEqual(seen.outputs.map(output => output.type), ['execute_input', 'stream', 'execute_result']);
    assert.deepEqual(seen.states, ['busy', 'idle']);
    assert.equal(seen.text, 'printed\n42');
    assert.equal(seen.reply.status, 'ok');
    const failed = await execute(kernel, '1/0');
    assert.equal(failed.reply.ename, 'ZeroDivisionError');
    assert.equal(failed.outputs.at(-1).type, 'error');
  },

  async hidden_cells_leave_no_trace(kernel) {
    for (const code of ['%config Completer.use_jedi = False', "import os as _hidden_os\n_hidden_os.environ['FROM_START'] = 'x'",
      '%matplotlib inline', "def _hidden_probe():\n    return 1\n_hidden_probe()\ndel _hidden_probe, _hidden_os"]) {
      const seen = await execute(kernel, code, hidden);
      assert.equal(seen.reply.status, 'ok', JSON.stringify(seen.reply));
      assert.deepEqual(seen.outputs.filter(output => !['execute_input', 'execute_result'].includes(output.type)), []);
    }
    const silent = await execute(kernel, "'unseen'", { silent: true });
    assert.deepEqual(silent.outputs, []);
    const first = await execute(kernel, "import os; os.environ['FROM_START']");
    assert.equal(first.reply.execution_count, 1);
    assert.equal(first.text, "'x'");
    const history = await kernel.requestHistory({ hist_access_type: 'tail', n: 10, output: false, raw: true });
    const sources = history.content.history.map(([, , source]) => source);
    assert.equal(sources.at(-1), "import os; os.environ['FROM_START']");
    assert.deepEqual(sources.filter(source => source.includes('_hidden')), []);
    const variables = await execute(kernel, '', { ...hidden, user_expressions: { answer: '6 * 7', wrong: 'nowhere' } });
    assert.equal(variables.reply.user_expressions.answer.data['text/plain'], '42');
    assert.equal(variables.reply.user_expressions.wrong.status, 'error');
  },

  async comms_carry_buffers(kernel) {
    await execute(kernel, `
def opened(comm, message):
    @comm.on_msg
    def received(message):
        comm.send({'twice': 2 * message['content']['data']['n']}, buffers=[bytes(reversed(b)) for b in message['buffers']])
    comm.send({'greeting': message['content']['data']['name']})
get_ipython().kernel.comm_manager.register_target('echo', opened)`);
    const comm = kernel.createComm('echo');
    const answers = [];
    let waiting;
    comm.onMsg = message => { answers.push(message); waiting?.(); };
    const arrived = count => new Promise(resolve => {
      waiting = () => answers.length >= count && resolve();
      waiting();
    });
    await comm.open({ name: 'node' }).done;
    await arrived(1);
    assert.equal(answers[0].content.data.greeting, 'node');
    await comm.send({ n: 21 }, {}, [new Uint8Array([1, 2, 3]).buffer]).done;
    await arrived(2);
    assert.equal(answers[1].content.data.twice, 42);
    assert.deepEqual([...new Uint8Array(answers[1].buffers[0].buffer ?? answers[1].buffers[0])].slice(-3), [3, 2, 1]);
    assert.equal(Object.keys((await kernel.requestCommInfo({ target_name: 'echo' })).content.comms).length, 1);
    await comm.close().done;
    assert.equal(Object.keys((await kernel.requestCommInfo({ target_name: 'echo' })).content.comms).length, 0);

    let model;
    kernel.registerCommTarget('from.kernel', (opened, message) => { model = message.content.data; });
    await execute(kernel, "from comm import create_comm\nc = create_comm('from.kernel', data={'state': 1})");
    assert.deepEqual(model, { state: 1 });
  },

  async an_interrupt_stops_the_cell_only(kernel) {
    const seen = await execute(kernel, "kept = 1\nimport time\nprint('going', flush=True)\ntime.sleep(3600)", {},
      { onOutput: seen => seen.text === 'going\n' && seen.outputs.length === 2 && kernel.interrupt() });
    assert.equal(seen.reply.ename, 'KeyboardInterrupt');
    assert.equal((await execute(kernel, 'kept')).text, '1');
  },

  async questions_are_answered(kernel) {
    const seen = await execute(kernel, "import getpass\ninput('name? ') + getpass.getpass('word? ')", { allow_stdin: true },
      { answer: message => message.content.password ? 'secret' : `[${message.content.prompt}]` });
    assert.equal(seen.text, "'[name? ]secret'");
    const refused = await execute(kernel, 'input()', { allow_stdin: false });
    assert.equal(refused.reply.ename, 'StdinNotImplementedError');
  },

  async a_restart_begins_anew(kernel) {
    await execute(kernel, 'gone = 1');
    await kernel.restart();
    const info = await kernel.requestKernelInfo();
    assert.equal(info.content.status, 'ok');
    assert.equal((await execute(kernel, 'gone')).reply.ename, 'NameError');
  },

  async editors_are_helped(kernel) {
    await execute(kernel, "import textwrap\n'''é'''; number_of_things = 3");
    const completion = await kernel.requestComplete({ code: "'😀'; number_of_th", cursor_pos: 17 });
    assert.deepEqual(completion.content.matches, ['number_of_things']);
    assert.equal(completion.content.cursor_start, 5);
    const inspection = await kernel.requestInspect({ code: 'textwrap.dedent', cursor_pos: 15, detail_level: 0 });
    assert.match(inspection.content.data['text/plain'], /Remove any common leading whitespace/);
    const unfinished = await kernel.requestIsComplete({ code: 'for n in x:' });
    assert.deepEqual([unfinished.content.status, unfinished.content.indent], ['incomplete', '    ']);
    assert.equal((await kernel.info).language_info.name, 'python');
  },

  async queued_cells_are_given_up_after_an_error(kernel) {
    const first = execute(kernel, 'import time; time.sleep(0.5); 1/0', { stop_on_error: true });
    const second = execute(kernel, "print('never')");
    assert.equal((await first).reply.status, 'error');
    const given_up = await second;
    assert.equal(given_up.reply.status, 'aborted');
    assert.equal(given_up.text, '');
    assert.equal((await execute(kernel, '1 + 1')).text, '2');
  },
};

// Holds the conversation of this name with a kernel; the value is the exit status.
export async function hold(name, kernel) {
  const conversation = conversations[name];
  assert.ok(conversation, `no conversation of the name ${name}; there are ${Object.keys(conversations)}`);
  try {
    await conversation(kernel);
    return 0;
  } catch (error) {
    console.error(error);
    return 1;
  }
}
