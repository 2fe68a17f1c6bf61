import { element, make } from './elements.ts'
import { meaningOf, type Exchange } from './network.ts'
import { timeOfDay } from './words.ts'

/** Older entries make room. */
const LIMIT = 40

/** The list of what happened, newest first. */
export interface Journal {
  readonly exchange: (exchange: Exchange) => void
  /** Something that the session did without a request. */
  readonly note: (text: string) => void
}

export function createJournal(): Journal {
  const list = element('journal', HTMLOListElement)
  const empty = element('journal-empty', HTMLElement)
  let latest = ''
  let times = 0

  /** The same thing again is counted, not told again. */
  function put(what: string, render: (times: number) => HTMLElement): void {
    empty.hidden = true
    times = what === latest ? times + 1 : 1
    if (what === latest) list.firstElementChild?.remove()
    latest = what
    list.prepend(render(times))
    while (list.children.length > LIMIT) list.lastElementChild?.remove()
  }

  return {
    exchange(exchange) {
      const meaning = meaningOf(exchange)
      put(`${exchange.method} ${exchange.path} ${meaning}`, (count) => describeExchange(exchange, meaning, count))
    },
    note: (text) => put(text, (count) => make('li', 'note', headline(text, count), when())),
  }
}

function describeExchange(exchange: Exchange, meaning: string, count: number): HTMLElement {
  const { method, path, status, tookMs, requestId } = exchange
  const badge = make('span', 'status', status === 0 ? '—' : String(status))
  badge.dataset['tone'] = toneOf(status)
  const call = make('p', 'call', badge, ` ${method} ${path} `, make('span', 'took', `${tookMs} ms`))
  const item = make('li', '', headline(meaning, count), when(), call)
  if (requestId) item.append(make('p', 'request-id', make('span', 'visually-hidden', 'Request id '), requestId))
  return item
}

function headline(text: string, count: number): HTMLElement {
  const line = make('p', 'headline', text)
  if (count > 1) line.append(' ', make('span', 'times', `× ${count}`))
  return line
}

function when(): HTMLElement {
  return make('time', '', timeOfDay(Date.now()))
}

function toneOf(status: number): string {
  if (status === 0 || status >= 500) return 'trouble'
  return status >= 400 ? 'refused' : 'good'
}
