use crate::Matcher;
use crate::interaction::{RecordedRequest, RecordedResponse};
use crate::matcher::Prepared;
use std::collections::HashMap;

/// At most so many recorded requests are shown as the closest.
const CLOSEST: usize = 3;

/// Interactions in their order: first those of the file, then those of this session.
#[derive(Debug)]
pub(crate) struct Tape {
    match_on: Vec<Matcher>,
    strict_query: bool,
    tracks: Vec<Track>,
    loaded: usize,
    /// Places by everything two requests must be equal in, so that a long tape is not searched from its
    /// start.
    index: HashMap<Vec<String>, Bucket>,
}

#[derive(Debug)]
struct Track {
    request: Prepared,
    response: Content,
    plays: usize,
}

#[derive(Debug)]
enum Content {
    Awaited,
    Abandoned,
    Here(RecordedResponse),
}

/// Places in ascending order; those before `next` were all played.
#[derive(Debug, Default)]
struct Bucket {
    places: Vec<usize>,
    next: usize,
}

/// A recorded request that agrees in some things.
pub(crate) struct Near<'a> {
    pub(crate) place: usize,
    pub(crate) request: &'a Prepared,
    pub(crate) played: bool,
    pub(crate) differing: Vec<&'a Matcher>,
}

impl Tape {
    pub(crate) fn new(match_on: Vec<Matcher>, strict_query: bool) -> Self {
        Self { match_on, strict_query, tracks: Vec::new(), loaded: 0, index: HashMap::new() }
    }

    /// Adds an interaction of the file; all of them come before anything else.
    pub(crate) fn load(&mut self, request: Prepared, response: RecordedResponse) {
        self.tracks.push(Track { request, response: Content::Here(response), plays: 0 });
        self.loaded = self.tracks.len();
        self.enter(self.loaded - 1);
    }

    /// Takes the next place for a request whose response is awaited.
    pub(crate) fn reserve(&mut self, request: Prepared) -> usize {
        self.tracks.push(Track { request, response: Content::Awaited, plays: 0 });
        self.tracks.len() - 1
    }

    pub(crate) fn fill(&mut self, place: usize, response: RecordedResponse) {
        self.tracks[place].response = Content::Here(response);
        self.enter(place);
    }

    /// Gives up a place that was not filled.
    pub(crate) fn abandon(&mut self, place: usize) {
        if matches!(self.tracks[place].response, Content::Awaited) {
            self.tracks[place].response = Content::Abandoned;
        }
    }

    pub(crate) fn request(&self, place: usize) -> &RecordedRequest {
        &self.tracks[place].request.request
    }

    /// The response of the first interaction that agrees and was not played, and marks it as played. With
    /// `repeats`, of the first that agrees, be it of the file or of this session.
    pub(crate) fn play(&mut self, made: &Prepared, repeats: bool) -> Option<RecordedResponse> {
        let key = self.key(made);
        let bucket = self.index.get_mut(&key)?;
        if !repeats {
            while bucket.places.get(bucket.next).is_some_and(|place| self.tracks[*place].plays > 0) {
                bucket.next += 1;
            }
        }
        let (match_on, strict, loaded) = (&self.match_on, self.strict_query, self.loaded);
        let from = if repeats { 0 } else { bucket.next };
        let place = bucket.places[from..].iter().copied().find(|place| {
            let track = &self.tracks[*place];
            let free = repeats || (*place < loaded && track.plays == 0);
            free && match_on
                .iter()
                .all(|matcher| is_keyed(matcher) || matcher.agrees(made, &track.request, strict))
        })?;
        let track = &mut self.tracks[place];
        track.plays += 1;
        match &track.response {
            Content::Here(response) => Some(response.clone()),
            Content::Awaited | Content::Abandoned => None,
        }
    }

    /// Every interaction of this session that is complete, in order.
    pub(crate) fn recorded(&self) -> impl Iterator<Item = (&Prepared, &RecordedResponse)> {
        self.tracks[self.loaded..].iter().filter_map(Track::complete)
    }

    /// Every interaction of the file, each with whether it was played.
    pub(crate) fn loaded(&self) -> impl Iterator<Item = (&Prepared, &RecordedResponse, bool)> {
        let tracks = self.tracks[..self.loaded].iter();
        tracks.filter_map(|track| {
            track.complete().map(|(request, response)| (request, response, track.plays > 0))
        })
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.tracks.iter().filter(|track| matches!(track.response, Content::Awaited)).count()
    }

    /// How many interactions of the file were played, and the requests of those that were not.
    pub(crate) fn played_and_unplayed(&self) -> (usize, Vec<&Prepared>) {
        let unplayed: Vec<_> =
            self.loaded().filter(|(.., played)| !played).map(|(request, ..)| request).collect();
        (self.loaded - unplayed.len(), unplayed)
    }

    /// How many interactions agree with the request in everything.
    pub(crate) fn used_up(&self, made: &Prepared) -> usize {
        self.tracks[..self.loaded]
            .iter()
            .filter(|track| self.differing(made, &track.request).is_empty())
            .count()
    }

    /// The recorded requests that agree in most, the most alike first; none that agrees in nothing.
    pub(crate) fn closest(&self, made: &Prepared) -> Vec<Near<'_>> {
        let mut all: Vec<Near<'_>> = self.tracks[..self.loaded]
            .iter()
            .enumerate()
            .map(|(place, track)| {
                let differing = self.differing(made, &track.request);
                Near { place, request: &track.request, played: track.plays > 0, differing }
            })
            .filter(|near| near.differing.len() < self.match_on.len())
            .collect();
        let alike = |near: &Near<'_>| common_start(&near.request.request.uri, &made.request.uri);
        all.sort_by_cached_key(|near| (near.differing.len(), usize::MAX - alike(near), near.place));
        all.truncate(CLOSEST);
        all
    }

    /// Whether two requests agree in everything.
    pub(crate) fn agree(&self, made: &Prepared, recorded: &Prepared) -> bool {
        self.differing(made, recorded).is_empty()
    }

    fn differing(&self, made: &Prepared, recorded: &Prepared) -> Vec<&Matcher> {
        self.match_on.iter().filter(|matcher| !matcher.agrees(made, recorded, self.strict_query)).collect()
    }

    fn key(&self, request: &Prepared) -> Vec<String> {
        self.match_on.iter().filter_map(|matcher| matcher.key(request, self.strict_query)).collect()
    }

    fn enter(&mut self, place: usize) {
        let key = self.key(&self.tracks[place].request);
        let places = &mut self.index.entry(key).or_default().places;
        let at = places.partition_point(|known| *known < place);
        places.insert(at, place);
    }
}

impl Track {
    fn complete(&self) -> Option<(&Prepared, &RecordedResponse)> {
        match &self.response {
            Content::Here(response) => Some((&self.request, response)),
            Content::Awaited | Content::Abandoned => None,
        }
    }
}

/// Whether agreeing in the key is agreeing.
fn is_keyed(matcher: &Matcher) -> bool {
    !matches!(matcher, Matcher::Body | Matcher::RawBody | Matcher::Custom(_))
}

fn common_start(a: &str, b: &str) -> usize {
    a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(uri: &str) -> Prepared {
        Prepared::new(RecordedRequest { method: "GET".into(), uri: uri.into(), ..RecordedRequest::default() })
            .unwrap()
    }

    fn response(status: u16) -> RecordedResponse {
        RecordedResponse { status, ..RecordedResponse::default() }
    }

    fn tape(uris: &[&str]) -> Tape {
        let mut tape = Tape::new(Matcher::DEFAULT.to_vec(), false);
        for (status, uri) in (200..).zip(uris) {
            tape.load(request(uri), response(status));
        }
        tape
    }

    #[test]
    fn each_interaction_plays_once_and_in_the_order_of_the_file() {
        let mut tape = tape(&["http://h/a", "http://h/b", "http://h/a"]);
        let mut play = |uri| tape.play(&request(uri), false).map(|response| response.status);
        assert_eq!(
            [play("http://h/a"), play("http://h/a"), play("http://h/a")],
            [Some(200), Some(202), None]
        );
        assert_eq!(play("http://h/b"), Some(201));
        assert_eq!(tape.played_and_unplayed().0, 3);
    }

    #[test]
    fn with_repeats_the_first_plays_always_and_what_was_recorded_too() {
        let mut tape = tape(&["http://h/a", "http://h/a"]);
        for _ in 0..3 {
            assert_eq!(tape.play(&request("http://h/a"), true).unwrap().status, 200);
        }
        let place = tape.reserve(request("http://h/new"));
        assert!(tape.play(&request("http://h/new"), true).is_none());
        tape.fill(place, response(299));
        assert_eq!(tape.play(&request("http://h/new"), true).unwrap().status, 299);
        assert!(tape.play(&request("http://h/new"), false).is_none());
    }

    #[test]
    fn what_was_abandoned_is_not_recorded() {
        let mut tape = tape(&[]);
        let (first, second) = (tape.reserve(request("http://h/1")), tape.reserve(request("http://h/2")));
        assert_eq!(tape.in_flight(), 2);
        tape.fill(second, response(200));
        tape.abandon(first);
        tape.abandon(second);
        assert_eq!((tape.in_flight(), tape.recorded().count()), (0, 1));
    }

    #[test]
    fn the_closest_agree_in_most_and_look_most_alike() {
        let tape = tape(&[
            "https://other/",
            "http://h/users/10",
            "http://h/orders",
            "http://h/users/1?a=1",
            "http://h/users/2",
        ]);
        let made = request("http://h/users/11");
        let closest: Vec<_> = tape.closest(&made).iter().map(|near| near.place).collect();
        assert_eq!(closest, [1, 4, 2]);
        let names: Vec<_> = tape.closest(&made)[0].differing.iter().map(|matcher| matcher.name()).collect();
        assert_eq!(names, ["path"]);
    }
}
