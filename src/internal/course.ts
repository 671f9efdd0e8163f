/** What an operation showed of its progress at an age, in milliseconds and in percent. */
export interface Sample {
  readonly age: number
  readonly percent: number
}

/** What was seen of the progress: where it began, its last two changes, and the smallest change so far. */
export interface Course {
  readonly first: Sample
  readonly previous: Sample
  readonly last: Sample
  readonly step: number
}

/**
 * The course with one more sample. Progress that falls back starts it anew.
 *
 * @internal
 */
export const watched = (course: Course | undefined, now: Sample): Course => {
  if (course === undefined || now.percent < course.last.percent) {
    return { first: now, previous: now, last: now, step: Number.POSITIVE_INFINITY }
  }
  const { first, last, step } = course
  if (now.percent === last.percent) return course
  return { first, previous: last, last: now, step: Math.min(step, now.percent - last.percent) }
}

/**
 * The age at which the course reaches its end, by its mean speed or by the last one where that is higher. It is not known
 * until the progress has moved.
 *
 * @internal
 */
export const endOf = ({ first, last, previous }: Course): number | undefined =>
  last === first
    ? undefined
    : last.age + (100 - last.percent) / Math.max(speedOf(first, last), speedOf(previous, last))

const speedOf = (from: Sample, to: Sample): number => (to.percent - from.percent) / (to.age - from.age)
