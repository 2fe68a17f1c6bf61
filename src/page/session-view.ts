import type { Session, SessionEvent, SessionStatus } from '../browser/index.ts'
import { describeClaims, lifetimeMsOf } from './claims.ts'
import { createDial } from './dial.ts'
import { element, write } from './elements.ts'
import { rememberedUser } from './remembered.ts'
import { clockText, inWords } from './words.ts'

const INVITATION = 'Call the API: it asks the service whether this session is alive.'
/** How often the time that is left is looked at. */
const TICK_MS = 250

export interface SessionView {
  /** The state of things has changed. */
  readonly update: (status: SessionStatus) => void
  readonly happened: (event: SessionEvent) => void
}

interface Trouble {
  readonly code: string
  readonly message: string
  readonly retryAtMs: number
}

/** The session while there is one: the token's lifetime running down, and what keeps it from being replaced. */
export function createSessionView(session: Session): SessionView {
  const dial = createDial(element('dial', SVGElement))
  const root = element('session', HTMLElement)
  const at = (id: string) => element(id, HTMLElement)
  const counts = { sessionId: '', refreshes: 0, handovers: 0 }
  let trouble: Trouble | undefined
  let shownToken = ''
  let tokenLifetimeMs: number | undefined

  function tick(): void {
    const status = session.status()
    if (status.kind === 'signed-in') {
      const { refreshedAtMs, refreshDueAtMs, expiresAtMs } = status
      const lifetimeMs = tokenLifetimeMs ?? expiresAtMs - refreshedAtMs
      const leftMs = expiresAtMs - Date.now()
      dial.show(Math.max(0, leftMs / lifetimeMs), (expiresAtMs - refreshDueAtMs) / lifetimeMs)
      write(at('left'), clockText(leftMs))
      write(at('left-of'), 'left of this token')
      const dueMs = refreshDueAtMs - Date.now()
      write(at('due'), trouble ? 'waiting' : dueMs > 0 ? `in ${clockText(dueMs)}` : 'now')
    } else {
      dial.show(0, 0)
      write(at('left'), '—')
      write(at('left-of'), 'no token right now')
      write(at('due'), status.kind === 'restoring' ? 'now' : 'waiting')
    }
    if (trouble) {
      const leftMs = trouble.retryAtMs - Date.now()
      const when = leftMs > 0 ? `Trying again in ${inWords(leftMs)}.` : 'Trying again…'
      write(at('trouble-what'), `${trouble.message} ${when}`)
    }
  }

  function showTrouble(status: SessionStatus): void {
    if (status.kind === 'offline') trouble = status
    const isOut = status.kind !== 'signed-in'
    root.dataset['state'] = trouble ? (isOut ? 'offline' : 'strained') : 'well'
    at('trouble').hidden = !trouble
    write(at('trouble-title'), isOut ? 'There is no token right now' : 'A refresh failed; the token is still good')
    // Only a page without a token can ask now; the library looks after the rest.
    element('try-now', HTMLButtonElement).hidden = !isOut
    for (const id of ['call', 'refresh', 'copy-token']) element(id, HTMLButtonElement).disabled = isOut
  }

  async function showClaims(): Promise<void> {
    if (session.status().kind !== 'signed-in') return
    const token = await session.getAccessToken().catch(() => '')
    if (!token || token === shownToken) return
    shownToken = token
    tokenLifetimeMs = lifetimeMsOf(token)
    tick()
    at('claims').replaceChildren(...describeClaims(token))
  }

  setInterval(() => {
    if (!root.hidden) tick()
  }, TICK_MS)
  return {
    update(status) {
      if (status.kind !== 'signed-in' && status.kind !== 'offline') {
        shownToken = ''
        at('claims').replaceChildren()
      }
      write(at('session-title'), titleFor(status, rememberedUser(counts.sessionId)))
      showTrouble(status)
      write(at('refreshes'), String(counts.refreshes))
      write(at('handovers'), String(counts.handovers))
      tick()
      void showClaims()
    },
    happened(event) {
      if (event.type === 'retry') trouble = { ...event, retryAtMs: Date.now() + event.inMs }
      if (event.type !== 'retry' && event.type !== 'restoring') trouble = undefined
      if (!('sessionId' in event)) return
      if (event.sessionId !== counts.sessionId) {
        Object.assign(counts, { sessionId: event.sessionId, refreshes: 0, handovers: 0 })
        write(at('result'), INVITATION)
      }
      if (event.type === 'refreshed') counts.refreshes++
      if (event.type === 'shared') counts.handovers++
    },
  }
}

function titleFor({ kind }: SessionStatus, user: string | undefined): string {
  if (kind !== 'signed-in') return 'Your session is kept'
  return user ? `Hello, ${user}` : 'You are signed in'
}
