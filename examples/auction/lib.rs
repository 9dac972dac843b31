//! A sealed-bid, first-price auction.
//!
//! While it is open nobody, the owner included, learns another's bid or who has bid: the amounts lie in confidential
//! state, `my_bid` answers only the caller about itself, and the event of a bid carries neither name nor amount. The
//! owner closes the auction; the highest bid wins, and of equal ones the one that was placed first. First price rather
//! than second: the price is then the winner's own bid, so that the losers' bids are never shown, not even afterwards.
//!
//! A bid is a promise, not a payment.
#![cfg_attr(not(feature = "std"), no_std, no_main)]

#[ink::contract]
pub mod auction {
    use ink::{
        prelude::{string::String, vec::Vec},
        storage::{Lazy, Mapping},
    };

    /// At most so many accounts can bid, so that closing stays within a message's gas.
    pub const MAX_BIDDERS: u32 = 128;

    /// At most so many bytes of title.
    pub const MAX_TITLE: usize = 128;

    /// The auction's terms, its bids and, once closed, its outcome.
    #[ink(storage)]
    pub struct Auction {
        owner: AccountId,
        reserve: Balance,
        title: String,
        bids: Mapping<AccountId, Balance>,
        /// Everybody who has bid, in the order in which their present bids were placed.
        order: Lazy<Vec<AccountId>>,
        bidders: u32,
        open: bool,
        winner: Option<(AccountId, Balance)>,
    }

    /// Somebody has placed or replaced a bid.
    #[ink(event)]
    pub struct BidPlaced {
        /// How many accounts have bid until now.
        pub bidders: u32,
    }

    /// The auction is over.
    #[ink(event)]
    pub struct Closed {
        /// Who has won; nobody if there was no bid.
        #[ink(topic)]
        pub winner: Option<AccountId>,
        /// The winning bid.
        pub amount: Option<Balance>,
    }

    /// Why a message changed nothing.
    #[derive(Debug, PartialEq, Eq, Clone, Copy)]
    #[ink::scale_derive(Encode, Decode, TypeInfo)]
    pub enum Error {
        /// The auction is closed.
        Closed,
        /// The auction is still open.
        NotClosed,
        /// Only the owner may do this.
        NotOwner,
        /// The bid is below the reserve.
        TooLow,
        /// As many accounts as can bid have done so.
        Full,
        /// The title is longer than `MAX_TITLE` bytes.
        TitleTooLong,
    }

    impl Auction {
        /// Opens an auction of `title` that accepts bids from `reserve` on. The caller owns it.
        #[ink(constructor)]
        pub fn new(reserve: Balance, title: String) -> Result<Self, Error> {
            if title.len() > MAX_TITLE {
                return Err(Error::TitleTooLong);
            }
            let mut order = Lazy::new();
            order.set(&Vec::new());
            Ok(Self {
                owner: Self::env().caller(),
                reserve,
                title,
                bids: Mapping::default(),
                order,
                bidders: 0,
                open: true,
                winner: None,
            })
        }

        /// Places the caller's bid or replaces the one it had, even by a lower one.
        #[ink(message)]
        pub fn bid(&mut self, amount: Balance) -> Result<(), Error> {
            if !self.open {
                return Err(Error::Closed);
            }
            if amount < self.reserve {
                return Err(Error::TooLow);
            }
            let caller = self.env().caller();
            let mut order = self.order.get_or_default();
            if self.bids.contains(caller) {
                order.retain(|bidder| *bidder != caller);
            } else {
                if self.bidders >= MAX_BIDDERS {
                    return Err(Error::Full);
                }
                self.bidders = self.bidders.saturating_add(1);
            }
            order.push(caller);
            self.order.set(&order);
            self.bids.insert(caller, &amount);
            self.env().emit_event(BidPlaced {
                bidders: self.bidders,
            });
            Ok(())
        }

        /// Ends the auction and returns its winner and the winning bid.
        #[ink(message)]
        pub fn close(&mut self) -> Result<Option<(AccountId, Balance)>, Error> {
            if self.env().caller() != self.owner {
                return Err(Error::NotOwner);
            }
            if !self.open {
                return Err(Error::Closed);
            }
            self.open = false;
            self.winner = self.highest();
            self.env().emit_event(Closed {
                winner: self.winner.map(|(account, _)| account),
                amount: self.winner.map(|(_, amount)| amount),
            });
            Ok(self.winner)
        }

        /// The caller's own bid.
        #[ink(message)]
        pub fn my_bid(&self) -> Option<Balance> {
            self.bids.get(self.env().caller())
        }

        /// Who has won and with what bid, once the auction is closed.
        #[ink(message)]
        pub fn winner(&self) -> Result<Option<(AccountId, Balance)>, Error> {
            if self.open {
                return Err(Error::NotClosed);
            }
            Ok(self.winner)
        }

        /// How many accounts have bid.
        #[ink(message)]
        pub fn bidders(&self) -> u32 {
            self.bidders
        }

        /// Whether bids are accepted.
        #[ink(message)]
        pub fn is_open(&self) -> bool {
            self.open
        }

        /// The lowest bid that is accepted.
        #[ink(message)]
        pub fn reserve(&self) -> Balance {
            self.reserve
        }

        /// What is sold.
        #[ink(message)]
        pub fn title(&self) -> String {
            self.title.clone()
        }

        /// Who opened the auction and may close it.
        #[ink(message)]
        pub fn owner(&self) -> AccountId {
            self.owner
        }

        fn highest(&self) -> Option<(AccountId, Balance)> {
            let mut best: Option<(AccountId, Balance)> = None;
            for bidder in self.order.get_or_default() {
                let Some(amount) = self.bids.get(bidder) else {
                    continue;
                };
                if best.map_or(true, |(_, highest)| amount > highest) {
                    best = Some((bidder, amount));
                }
            }
            best
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use ink::env::{test, DefaultEnvironment};

        fn accounts() -> test::DefaultAccounts<DefaultEnvironment> {
            test::default_accounts::<DefaultEnvironment>()
        }

        fn call_as(account: AccountId) {
            test::set_caller::<DefaultEnvironment>(account);
        }

        fn alices_auction(reserve: Balance) -> Auction {
            call_as(accounts().alice);
            Auction::new(reserve, String::from("A painting")).expect("the title is short")
        }

        #[ink::test]
        fn highest_bid_wins_and_only_it_is_shown() {
            let mut auction = alices_auction(10);
            call_as(accounts().bob);
            assert_eq!(auction.bid(50), Ok(()));
            call_as(accounts().charlie);
            assert_eq!(auction.bid(70), Ok(()));
            assert_eq!(auction.my_bid(), Some(70));
            call_as(accounts().django);
            assert_eq!(auction.my_bid(), None);
            assert_eq!(auction.winner(), Err(Error::NotClosed));
            assert_eq!(auction.bidders(), 2);

            call_as(accounts().alice);
            assert_eq!(auction.close(), Ok(Some((accounts().charlie, 70))));
            assert_eq!(auction.winner(), Ok(Some((accounts().charlie, 70))));
            assert!(!auction.is_open());
            assert_eq!(auction.close(), Err(Error::Closed));
            assert_eq!(test::recorded_events().count(), 3);
        }

        #[ink::test]
        fn a_bid_is_replaced_and_then_stands_behind_equal_ones() {
            let mut auction = alices_auction(10);
            call_as(accounts().bob);
            assert_eq!(auction.bid(90), Ok(()));
            call_as(accounts().charlie);
            assert_eq!(auction.bid(60), Ok(()));
            call_as(accounts().bob);
            assert_eq!(auction.bid(60), Ok(()));
            assert_eq!(auction.my_bid(), Some(60));
            assert_eq!(auction.bidders(), 2);
            call_as(accounts().alice);
            assert_eq!(auction.close(), Ok(Some((accounts().charlie, 60))));
        }

        #[ink::test]
        fn refuses_what_is_too_low_too_late_or_not_the_callers() {
            let mut auction = alices_auction(10);
            call_as(accounts().bob);
            assert_eq!(auction.bid(9), Err(Error::TooLow));
            assert_eq!(auction.bidders(), 0);
            assert_eq!(auction.close(), Err(Error::NotOwner));
            assert!(auction.is_open());
            call_as(accounts().alice);
            assert_eq!(auction.close(), Ok(None));
            assert_eq!(auction.winner(), Ok(None));
            call_as(accounts().bob);
            assert_eq!(auction.bid(10), Err(Error::Closed));
        }

        #[ink::test]
        fn the_number_of_bidders_is_bounded() {
            let mut auction = alices_auction(0);
            for i in 0..MAX_BIDDERS {
                call_as(AccountId::from([i as u8 + 1; 32]));
                assert_eq!(auction.bid(Balance::from(i)), Ok(()));
            }
            call_as(AccountId::from([0xff; 32]));
            assert_eq!(auction.bid(1), Err(Error::Full));
            assert_eq!(auction.bidders(), MAX_BIDDERS);
            call_as(AccountId::from([1; 32]));
            assert_eq!(auction.bid(1_000), Ok(()));
        }

        #[ink::test]
        fn the_title_is_bounded() {
            let title = |n: usize| "x".repeat(n);
            assert_eq!(
                Auction::new(1, title(MAX_TITLE))
                    .expect("at the bound")
                    .title(),
                title(MAX_TITLE)
            );
            assert_eq!(
                Auction::new(1, title(MAX_TITLE + 1)).err(),
                Some(Error::TitleTooLong)
            );
        }
    }
}
