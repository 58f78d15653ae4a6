// Tell Fieldfare that a ticket was created. Needs the package redis (npm install redis).
// Usage: REDIS_URL=redis://127.0.0.1:6379/0 node emit.mjs TICKET_ID
import { createClient } from "redis";

const client = createClient({ url: process.env.REDIS_URL ?? "redis://127.0.0.1:6379/0" });
await client.connect();
const entry = await client.xAdd("fieldfare:events", "*", {
  type: "ticket.created",
  ticket_id: process.argv[2],
});
console.log(entry);
client.destroy();
