-- Which trace a change belongs to, where it is part of one: its traceparent and, after a space, its tracestate (W3C
-- Trace Context). Whoever publishes the event goes on from there.
ALTER TABLE events ADD COLUMN trace_context text;
