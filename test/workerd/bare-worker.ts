/** The least that a Worker with Hono can be: what `npm run bench` compares start and memory with. */
import { Hono } from 'hono'

const app = new Hono()
app.get('/healthz', (c) => c.body(null, 204))

export default app
