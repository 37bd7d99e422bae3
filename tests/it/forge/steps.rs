//! There and back on either forge, what people do in between, and what is refused.

use belay::domain::action::managers::Managers;
use belay::domain::action::{Action, Resource, ResourceStep, Restore};
use belay::domain::plan::{Direction, Refusal};
use belay::domain::target::{Kind, Object};
use belay::domain::warrant::{Applied, Stands};
use belay::sim::forge::{Asked, State};

use super::desk::{BOTH, Desk, PATH, TOKEN, WEB, done, refusal, stands};
use crate::hands::world::{deployment, object, scale_to, set_replicas};

const BRANCH: &str = "belay/inc-0";

#[tokio::test]
async fn opened_once_and_closed_again() {
    for vendor in BOTH {
        let mut desk = Desk::new(vendor).await;
        desk.hand.world().workload.as_mut().unwrap().managers =
            Managers { gitops: Some("Argo CD"), ..Managers::default() };
        let plan = desk.plan().await;
        assert_eq!(desk.made(), (0, 0), "planning changes nothing");
        let proposal = plan.proposal.as_ref().unwrap();
        assert!(proposal.patch.ends_with("@@ -6 +6 @@\n-  replicas: 3 # three\n+  replicas: 5 # three\n"));
        assert_eq!(plan.note.as_deref(), Some("Argo CD manages it"));
        assert_eq!(plan.blast.replica_delta, 2, "limits hold for what is proposed");
        let before = desk.status(&plan, "inc-0").await;
        assert!(matches!(refusal(before), Refusal::NotApplied(_)));

        let applied = desk.apply(&plan, "inc-0", "w-0").await;
        assert_eq!(stands(&applied), Some(Stands::Open), "{applied:?}");
        let repo = desk.forge.repo();
        assert_eq!(repo.file("main", PATH), Some(WEB), "nothing is merged");
        assert_eq!(repo.file(BRANCH, PATH), Some(WEB.replace("replicas: 3", "replicas: 5").as_str()));
        let tip = repo.tip(BRANCH).unwrap();
        assert_eq!(tip.parents, [repo.branches["main"].clone()]);
        assert!(tip.message.contains("\nBelay-Intent: inc-0\n"), "{}", tip.message);
        let pull = &repo.pulls[0];
        assert_eq!((pull.from.as_str(), pull.into.as_str()), (BRANCH, "main"));
        assert_eq!(pull.title, "belay: scale Deployment web to 5");
        for part in ["`grant scale-up`", "Argo CD manages it", "```diff\n--- a/", "incident"] {
            assert!(pull.body.contains(part), "{part}: {}", pull.body);
        }
        let Applied::Done { proposed: Some(proposed), .. } = &applied else { panic!("{applied:?}") };
        assert!(!proposed.link.contains("elsewhere"), "{}", proposed.link);
        let end = if vendor == BOTH[0] { "/shop/deploy/pull/1" } else { "/shop/deploy/-/merge_requests/1" };
        assert!(proposed.link.ends_with(end), "{}", proposed.link);

        // asked again, in every way, after a crash too: told, and not done again
        for warrant in ["w-0", "w-1"] {
            assert!(done(&desk.apply(&plan, "inc-0", warrant).await));
            desk.restart();
            assert!(done(&desk.status(&plan, "inc-0").await));
        }
        assert_eq!(desk.made(), (1, 1));
        assert!(desk.hand.world().sent.is_empty(), "nothing in the cluster is written");

        let back = desk.revert(&plan, "inc-0").await.unwrap();
        assert_eq!(back.direction, Direction::Revert);
        assert!(done(&desk.apply(&back, "inc-1", "w-2").await));
        assert_eq!(desk.forge.repo().pulls[0].state, State::Closed);
        assert_eq!(desk.made(), (0, 1), "the branch is gone");
        assert!(done(&desk.status(&back, "inc-1").await));
        assert!(done(&desk.apply(&back, "inc-1", "w-3").await));
        let again = desk.revert(&plan, "inc-0").await;
        assert!(matches!(again, Err(Refusal::NothingToDo(_))), "{again:?}");
        assert_eq!(stands(&desk.status(&plan, "inc-0").await), Some(Stands::Closed));
    }
}

#[tokio::test]
async fn what_people_do_with_it_is_seen_and_never_undone() {
    for vendor in BOTH {
        let desk = Desk::new(vendor).await;
        let plan = desk.plan().await;
        desk.apply(&plan, "inc-0", "w-0").await;
        let back = desk.revert(&plan, "inc-0").await.unwrap();
        desk.forge.edit(|repo| repo.push(BRANCH, PATH, "theirs", "somebody's"));
        // neither planned nor carried out any more
        let why = desk.revert(&plan, "inc-0").await.unwrap_err();
        assert!(why.to_string().contains("somebody else's commit"), "{why}");
        let why = refusal(desk.apply(&back, "inc-1", "w-1").await);
        assert!(matches!(why, Refusal::Changed { .. }), "{why:?}");
        assert_eq!(desk.forge.repo().pulls[0].state, State::Open);
        desk.forge.edit(|repo| repo.merge(1));
        assert_eq!(stands(&desk.status(&plan, "inc-0").await), Some(Stands::Merged));
        for why in
            [desk.revert(&plan, "inc-0").await.unwrap_err(), refusal(desk.apply(&back, "inc-2", "w-2").await)]
        {
            assert!(why.to_string().contains("was merged: what it changed is reverted there"), "{why}");
        }

        let desk = Desk::new(vendor).await;
        let plan = desk.plan().await;
        desk.apply(&plan, "inc-0", "w-0").await;
        desk.forge.edit(|repo| repo.close(1));
        let seen = desk.status(&plan, "inc-0").await;
        assert!(
            matches!(&seen, Applied::Done { changed: Some(why), .. } if why.contains("without being merged"))
        );
        // not opened a second time
        assert!(done(&desk.apply(&plan, "inc-0", "w-1").await));
        assert_eq!(stands(&desk.status(&plan, "inc-0").await), Some(Stands::Closed));
        assert_eq!(desk.made(), (1, 1));
    }
}

#[tokio::test]
async fn a_file_or_a_branch_that_moved_is_left_alone() {
    for vendor in BOTH {
        let desk = Desk::new(vendor).await;
        let plan = desk.plan().await;
        // another file moves the branch, and not what was planned upon
        desk.forge.edit(|repo| repo.push("main", "README.md", "y", "theirs"));
        desk.forge.edit(|repo| repo.push("main", PATH, &WEB.replace('3', "4"), "theirs"));
        let why = refusal(desk.apply(&plan, "inc-0", "w-0").await);
        assert!(why.to_string().contains("changed in its repository since"), "{why}");

        let desk = Desk::new(vendor).await;
        let plan = desk.plan().await;
        desk.forge.edit(|repo| repo.push(BRANCH, "other.yaml", "x", "theirs"));
        let why = refusal(desk.apply(&plan, "inc-0", "w-0").await);
        assert!(why.to_string().contains("somebody else's commit"), "{why}");
        assert_eq!(desk.made(), (1, 0));

        // a fork's pull request from a branch of that name is nobody's answer
        let desk = Desk::new(vendor).await;
        let plan = desk.plan().await;
        desk.forge.edit(|repo| {
            repo.open(BRANCH, "main", ("theirs", "theirs")).unwrap();
            repo.pulls[0].fork = true;
        });
        assert!(done(&desk.apply(&plan, "inc-0", "w-0").await));
        assert_eq!(desk.forge.repo().pulls.len(), 2);

        // the object is another one, or not as it was
        let desk = Desk::new(vendor).await;
        let plan = desk.plan().await;
        set_replicas(desk.hand.world().workload.as_mut().unwrap(), 4);
        let why = refusal(desk.apply(&plan, "inc-0", "w-0").await);
        assert!(why.to_string().contains("is 3 in it and 4 in the cluster"), "{why}");
        desk.hand.world().workload.as_mut().unwrap().object.uid = "u-other".into();
        let why = refusal(desk.apply(&plan, "inc-1", "w-1").await);
        assert!(matches!(why, Refusal::Gone { .. }), "{why:?}");
        assert_eq!(desk.made(), (0, 0));
    }
}

#[tokio::test]
async fn what_cannot_be_proposed_is_refused_by_name() {
    let desk = Desk::new(BOTH[0]).await;
    let web = || deployment().object;
    let elsewhere = Object { uid: "u-api".into(), ..object(Kind::Deployment, "api", "u-api") };
    let pull = Action::OpenPullRequest { instead_of: Box::new(scale_to(5)) };
    let step = ResourceStep::new(Resource::Memory, 256, 384).unwrap();
    for (action, expected) in [
        (Action::RestartWorkload { workload: web() }, "a restart is no state"),
        (Action::RestartPod { pod: object(Kind::Pod, "p", "u") }, "a restart is no state"),
        (
            Action::RestoreConfig {
                config: object(Kind::ConfigMap, "c", "u"),
                version: 1,
                restore: Restore::default(),
            },
            "its own history",
        ),
        (pull, "not for a pull request"),
        (scale_to(0), "scaling to 0"),
        (scale_to(13), "more than the 12"),
        (
            Action::SetResources { workload: web(), container: "web".into(), step },
            "`/spec/template/spec/containers/0/resources/limits/memory` is not in it",
        ),
    ] {
        let why = desk.try_plan(action.clone()).await.unwrap_err().to_string();
        assert!(why.contains(expected), "{action:?}: {why}");
    }
    desk.forge.edit(|repo| repo.push("main", PATH, &format!("{WEB}# {{{{ x }}}}"), "a template"));
    let why = desk.try_plan(scale_to(5)).await.unwrap_err().to_string();
    assert!(why.contains("it is a template"), "{why}");
    desk.hand.world().workload.as_mut().unwrap().object = elsewhere.clone();
    let why = desk.try_plan(Action::ScaleWorkload { workload: elsewhere, replicas: 5 }).await.unwrap_err();
    assert!(why.to_string().contains("there is no file `apps/shop/api.yaml`"), "{why}");
    assert!(!desk.forge.calls().iter().any(|asked| Asked::WRITES.contains(asked)));
}

#[tokio::test]
async fn a_plan_that_was_changed_is_not_carried_out() {
    let desk = Desk::new(BOTH[0]).await;
    let plan = desk.plan().await;
    for change in [
        (|plan| plan.proposal.as_mut().unwrap().path = "README.md".into())
            as fn(&mut belay::domain::plan::Plan),
        |plan| plan.proposal.as_mut().unwrap().place.repository = "shop/other".into(),
        |plan| plan.proposal.as_mut().unwrap().place.into = "release".into(),
        |plan| plan.proposal.as_mut().unwrap().base = "0".repeat(40),
        |plan| plan.proposal.as_mut().unwrap().patch.push('x'),
        |plan| plan.changes[0].to = Some("50".into()),
        |plan| plan.proposal = None,
        |plan| plan.action = Action::OpenPullRequest { instead_of: Box::new(scale_to(6)) },
        |plan| plan.preconditions.uid = "u-other".into(),
    ] {
        let mut other = plan.clone();
        change(&mut other);
        // even when it was signed so
        let applied = desk.apply(&other, "inc-0", &format!("w-{}", other.hash().unwrap().short())).await;
        assert!(!done(&applied), "{other:?}");
    }
    assert_eq!(desk.made(), (0, 0));
    let wrong = format!("{:?} {:?}", plan, desk.forge.calls());
    assert!(!wrong.contains(TOKEN));
}
