DROP TABLE events_set_aside;
DROP TABLE event_mark;
DROP TABLE event_counter;
DROP TABLE events;
