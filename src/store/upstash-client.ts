import { Redis } from '@upstash/redis/cloudflare'
import type { Config } from '../config.ts'

/** Upstash's own client, tamed: one attempt, a deadline, replies as they are, one request for each command. */
export function createUpstashClient({ url, token, timeoutMs }: Config['store']): Redis {
  return new Redis({
    url,
    token,
    retry: { retries: 0 },
    // A function, called for each request: a signal object that fired once would turn later replies into null.
    signal: () => AbortSignal.timeout(timeoutMs),
    automaticDeserialization: false,
    // Replies are text: in base64 they are a third longer, and have to be read twice.
    responseEncoding: false,
    enableAutoPipelining: false,
    enableTelemetry: false,
  })
}
