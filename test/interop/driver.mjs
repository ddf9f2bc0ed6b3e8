// The part of the two TypeScript clients that does not depend on the SDK's version: it reads a plan from standard
// input, carries out its steps one after the other, and writes the transcript to standard output.

import { text } from "node:stream/consumers";

const UPDATE_TIMEOUT = 15_000; // server-everything repeats its simulated updates every 5 s
const LIST_TIMEOUT = 10_000;
const SETTLE_TIMEOUT = 20_000;
const POLL_INTERVAL = 100;

/** What every client answers when a server asks it something, whatever the SDK. */
export function answers(plan) {
  return {
    "roots/list": () => ({ roots: plan.roots }),
    "sampling/createMessage": () => plan.sampling,
    "elicitation/create": (request) =>
      request.params.mode === "url" ? { action: "accept" } : { action: "accept", content: plan.elicitation },
  };
}

/** Client capabilities that let a server show everything it has. */
export const capabilities = { roots: { listChanged: true }, sampling: {}, elicitation: { form: {}, url: {} } };

/**
 * Runs the plan with the client that connect returns: an object with list(what, cursor), call(params, onprogress),
 * get, read, complete, subscribe, unsubscribe, request(method, params), onUpdated(listener) and close().
 */
export async function drive(connect) {
  const plan = JSON.parse(await text(process.stdin));
  const client = await connect(plan);
  if (plan.settle) {
    await settle(client);
  }
  const transcript = [];
  for (const step of plan.steps) {
    const entry = { label: step.label };
    try {
      Object.assign(entry, await operations[step.op](client, step, plan));
    } catch (error) {
      entry.error = { code: error.code, message: error.message, data: error.data };
    }
    transcript.push(entry);
  }
  await client.close();
  process.stdout.write(JSON.stringify(transcript));
}

/** Waits for the first tool: a server that is still starting comes into the gateway's lists a moment later. */
async function settle(client) {
  const deadline = Date.now() + SETTLE_TIMEOUT;
  while ((await client.list("tools")).tools.length === 0 && Date.now() < deadline) {
    await pause();
  }
}

const pause = () => new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL));

const operations = {
  /** Follows every page; with `until`, asks again until the list has an item of that URI. */
  async list(client, step) {
    const deadline = Date.now() + LIST_TIMEOUT;
    for (;;) {
      const items = [];
      let cursor;
      do {
        const page = await client.list(step.what, cursor);
        items.push(...page[step.what]);
        cursor = page.nextCursor;
      } while (cursor !== undefined);
      if (!step.until || Date.now() > deadline || items.some((item) => item.uri === step.until)) {
        return { result: { [step.what]: items } };
      }
      await pause();
    }
  },

  async call(client, step, plan) {
    const params = { name: plan.prefix + step.name, arguments: step.arguments };
    if (!step.progress) {
      return { result: await client.call(params) };
    }
    const progress = [];
    const result = await client.call(params, (notification) => progress.push(notification));
    return { result, progress };
  },

  /** Calls a tool as a task of 2025-11-25: create, poll, fetch. */
  async task(client, step, plan) {
    const params = { name: plan.prefix + step.name, arguments: step.arguments, task: { ttl: 60_000 } };
    const { task } = await client.request("tools/call", params);
    let status = task;
    while (status.status === "working") {
      await pause();
      status = await client.request("tasks/get", { taskId: task.taskId });
    }
    const result = await client.request("tasks/result", { taskId: task.taskId });
    return { result: { created: task, ended: status, result } };
  },

  async get(client, step, plan) {
    return { result: await client.get({ name: plan.prefix + step.name, arguments: step.arguments }) };
  },

  async read(client, step) {
    return { result: await client.read({ uri: step.uri }) };
  },

  async complete(client, step, plan) {
    const ref = { ...step.ref };
    if (ref.name !== undefined) {
      ref.name = plan.prefix + ref.name;
    }
    return { result: await client.complete({ ref, argument: step.argument, context: step.context }) };
  },

  /** Subscribes, calls the tool that makes the resource change, waits for the word of it, unsubscribes. */
  async subscribe(client, step, plan) {
    let timer;
    const updated = new Promise((resolve, reject) => {
      client.onUpdated((uri) => uri === step.uri && resolve(uri));
      timer = setTimeout(() => reject(new Error(`no update of ${step.uri}`)), UPDATE_TIMEOUT);
    });
    updated.catch(() => {}); // a failing trigger must not leave an unhandled rejection behind
    try {
      await client.subscribe({ uri: step.uri });
      await client.call({ name: plan.prefix + step.name, arguments: step.arguments });
      const uri = await updated;
      await client.unsubscribe({ uri: step.uri });
      return { result: { updated: uri } };
    } finally {
      clearTimeout(timer);
    }
  },
};
