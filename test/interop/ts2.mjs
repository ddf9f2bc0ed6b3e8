// The official TypeScript SDK 2.x as a client, in its legacy mode: it negotiates 2025-11-25 or older.

import { Client, SSEClientTransport, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";

import { answers, capabilities, drive } from "./driver.mjs";

const transports = {
  stdio: ({ command, args, env }) => new StdioClientTransport({ command, args, env }),
  http: ({ url }) => new StreamableHTTPClientTransport(new URL(url)),
  sse: ({ url }) => new SSEClientTransport(new URL(url)),
};

await drive(async (plan) => {
  const client = new Client(
    { name: "interop-ts2", version: "1.0.0" },
    { capabilities, versionNegotiation: { mode: "legacy" } },
  );
  for (const [method, answer] of Object.entries(answers(plan))) {
    client.setRequestHandler(method, answer);
  }
  const transport = transports[plan.target.kind](plan.target);
  await client.connect(transport);

  // Without a cursor this SDK follows the pages itself.
  const lists = {
    tools: (params) => client.listTools(params),
    prompts: (params) => client.listPrompts(params),
    resources: (params) => client.listResources(params),
    resourceTemplates: (params) => client.listResourceTemplates(params),
  };
  return {
    list: (what, cursor) => lists[what](cursor === undefined ? undefined : { cursor }),
    call: (params, onprogress) => client.callTool(params, { onprogress }),
    get: (params) => client.getPrompt(params),
    read: (params) => client.readResource(params),
    complete: (params) => client.complete(params),
    subscribe: (params) => client.subscribeResource(params),
    unsubscribe: (params) => client.unsubscribeResource(params),
    onUpdated: (listener) =>
      client.setNotificationHandler("notifications/resources/updated", (n) => listener(n.params.uri)),
    close: async () => {
      await transport.terminateSession?.();
      await client.close();
    },
  };
});
