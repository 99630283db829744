//! Who is let in to the API: a request that finds a place among those in flight, of somebody with a credential, who
//! does not ask too often. One layer judges all of that, since every request pays for each that there is.

use std::pin::pin;
use std::rc::Rc;

use actix_web::Error;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use futures_util::FutureExt;

use super::access;
use super::limits::{Limits, Place};
use crate::access::Gatekeeper;
use crate::http::Shared;
use crate::http::problem::error::ApiError;

/// What requests to one worker of the server are judged by.
pub(in crate::http) struct Admission {
    limits: Limits,
    gatekeeper: Gatekeeper,
}

impl Admission {
    pub(in crate::http) fn of(shared: &Shared) -> Self {
        Self { limits: shared.limits.clone(), gatekeeper: shared.gatekeeper.clone() }
    }

    /// Lets a request in where there is a place for it.
    pub(in crate::http) async fn admit<B: MessageBody + 'static>(
        self: Rc<Self>,
        request: ServiceRequest,
        next: Next<B>,
    ) -> Result<ServiceResponse<BoxBody>, Error> {
        let place = self.limits.enter(&request)?;
        let answer = self.judge(&place, request, next).await;
        place.leave();
        answer
    }

    /// Lets in who has a credential, and has not asked too often.
    async fn judge<B: MessageBody + 'static>(
        &self,
        place: &Place,
        request: ServiceRequest,
        next: Next<B>,
    ) -> Result<ServiceResponse<BoxBody>, Error> {
        if let Err(refused) = self.identify(place, &request).await {
            return Ok(request.error_response(refused));
        }
        let Some(rate) = self.limits.rate() else {
            return Ok(next.call(request).await?.map_into_boxed_body());
        };
        let share = rate.share(&request);
        let mut answer = match share.check() {
            Ok(()) => next.call(request).await?.map_into_boxed_body(),
            Err(refused) => request.error_response(refused),
        };
        share.tell(answer.headers_mut());
        Ok(answer)
    }

    /// Notes who asks. Where too many credentials from an address were no good, no more are looked at for a while.
    async fn identify(&self, place: &Place, request: &ServiceRequest) -> Result<(), ApiError> {
        access::check_host(&self.gatekeeper, request)?;
        let refusals = self.limits.rate().map(|rate| rate.refusals(request));
        if let Some(refusals) = &refusals {
            refusals.check()?;
        }
        let mut identifying = pin!(access::identify(&self.gatekeeper, request));
        let identified = match identifying.as_mut().now_or_never() {
            Some(identified) => identified,
            // Keys are being fetched: that may take long, and others have what they need.
            None => place.without(identifying).await?,
        };
        if let (Err(refusal), Some(refusals)) = (&identified, refusals)
            && refusal.is_of_credential()
        {
            refusals.add();
        }
        Ok(identified?)
    }
}
