// The official TypeScript SDK 1.x as a client.

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  ResourceUpdatedNotificationSchema,
  ResultSchema,
} from "@modelcontextprotocol/sdk/types.js";

import { answers, capabilities, drive } from "./driver.mjs";

const transports = {
  stdio: ({ command, args, env }) => new StdioClientTransport({ command, args, env }),
  http: ({ url }) => new StreamableHTTPClientTransport(new URL(url)),
  sse: ({ url }) => new SSEClientTransport(new URL(url)),
};

await drive(async (plan) => {
  const client = new Client({ name: "interop-ts1", version: "1.0.0" }, { capabilities });
  const answer = answers(plan);
  client.setRequestHandler(ListRootsRequestSchema, answer["roots/list"]);
  client.setRequestHandler(CreateMessageRequestSchema, answer["sampling/createMessage"]);
  client.setRequestHandler(ElicitRequestSchema, answer["elicitation/create"]);
  const transport = transports[plan.target.kind](plan.target);
  await client.connect(transport);

  const lists = {
    tools: (params) => client.listTools(params),
    prompts: (params) => client.listPrompts(params),
    resources: (params) => client.listResources(params),
    resourceTemplates: (params) => client.listResourceTemplates(params),
  };
  return {
    list: (what, cursor) => lists[what]({ cursor }),
    call: (params, onprogress) => client.callTool(params, undefined, { onprogress }),
    get: (params) => client.getPrompt(params),
    read: (params) => client.readResource(params),
    complete: (params) => client.complete(params),
    subscribe: (params) => client.subscribeResource(params),
    unsubscribe: (params) => client.unsubscribeResource(params),
    request: (method, params) => client.request({ method, params }, ResultSchema),
    onUpdated: (listener) =>
      client.setNotificationHandler(ResourceUpdatedNotificationSchema, (n) => listener(n.params.uri)),
    close: async () => {
      await transport.terminateSession?.();
      await client.close();
    },
  };
});
