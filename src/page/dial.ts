/** The life of a token as a ring of ticks that go out one by one, with a mark where it will be replaced. */
const TICKS = 60
/** The ring fills up tick after tick. */
const SWEEP_MS = 6
const CENTER = 120
const SVG = 'http://www.w3.org/2000/svg'

export interface Dial {
  /** Parts of the lifetime, from 0 to 1: what is left, and where the next refresh is due. */
  readonly show: (left: number, due: number) => void
}

export function createDial(svg: SVGElement): Dial {
  const ticks = Array.from({ length: TICKS }, (_, index) => {
    const tick = line(14, 30, (index / TICKS) * 360)
    tick.setAttribute('class', 'tick')
    tick.style.setProperty('--sweep', `${index * SWEEP_MS}ms`)
    return tick
  })
  const mark = document.createElementNS(SVG, 'path')
  mark.setAttribute('class', 'due')
  mark.setAttribute('d', `M${CENTER} 11l-5-9h10z`)
  svg.append(...ticks, mark)
  return {
    show(left, due) {
      for (const [index, tick] of ticks.entries()) {
        const at = index / TICKS
        tick.dataset['lit'] = at < left ? (at < due ? 'reserve' : 'yes') : 'no'
      }
      mark.setAttribute('transform', `rotate(${due * 360} ${CENTER} ${CENTER})`)
    },
  }
}

function line(from: number, to: number, degrees: number): SVGLineElement {
  const made = document.createElementNS(SVG, 'line')
  for (const [name, value] of Object.entries({ x1: CENTER, x2: CENTER, y1: from, y2: to }))
    made.setAttribute(name, String(value))
  made.setAttribute('transform', `rotate(${degrees} ${CENTER} ${CENTER})`)
  return made
}
